"""How allauth behaves here: whom it locks out, what it sends, how it asks again, what it stores of a factor."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from allauth.core import ratelimit
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString

from lakou.identity import acts, mail, qr_code, queries, second_factor, site
from lakou.identity.models import Person, PersonRole

log = structlog.get_logger(__name__)


def not_sent(request: HttpRequest, delivery: mail.Delivery) -> HttpResponse:
    """The page for who waits for a mail that did not leave."""
    is_refused = delivery is mail.Delivery.REFUSED
    context = {"is_refused": is_refused}
    return render(request, "identity/mail_not_sent.html", context, status=422 if is_refused else 503)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth publishes no types
    """Accounts: log-in, mail, asking again."""

    def new_user(self, request: HttpRequest) -> Person:
        """Somebody who signs up themselves."""
        return Person(joined=datetime.now(UTC))

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """Keep who signed up, as an inhabitant in the host organisation."""
        from lakou.identity.actions import people  # its models are loaded after this module

        person = super().save_user(request, user, form, commit)
        if commit:
            acts.note("person.signed_up", actor=acts.person(person.pk), subject=acts.person(person.pk))
            organisation = queries.host()
            if organisation is not None:
                people.grant_role(person=person, organisation=organisation, role=PersonRole.CITIZEN, by=person)
        return person

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse without looking at the password after too many wrong ones (`ACCOUNT_RATE_LIMITS`)."""
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            person = queries.person_by_email(str(credentials.get("email", "")))
            acts.note_gathered("login.locked_out", subject=acts.person(person.pk) if person else "")
            raise

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth puts the Host header into the key: another Host would be another five tries.
        return str(credentials.get("email", "")).strip().lower()

    def get_reset_password_from_key_url(self, key: str) -> str:
        """The address under which a new password is set."""
        uid, _, secret = key.partition("-")
        return site.absolute(reverse("account_reset_password_from_key", kwargs={"uidb36": uid, "key": secret}))

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        """The address under which somebody who signed up confirms their own."""
        return site.absolute(reverse("account_confirm_email", args=[emailconfirmation.key]))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send, or write into the outbox. When it does not leave, who waits for it is told so in place of the page.

        An address with an account and one without get a mail alike, so that this tells nothing of either.
        """
        try:
            super().send_mail(template_prefix, email, context)
        except mail.FAILURES as error:
            delivery = mail.delivery_of(error)
            log.warning(
                "mail was not sent", template=template_prefix, delivery=str(delivery), error=type(error).__name__
            )
            request = allauth_context.request
            # Else the next try within three minutes would send nothing, and say nothing.
            ratelimit.clear(request, action="confirm_email", key=email.lower())
            raise ImmediateHttpResponse(not_sent(request, delivery)) from None

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """How to ask again: by the second factor where there is one; by password else, and after break-glass.

        The first is the one that is asked for: a key, of who has no application that shows codes.
        """
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        by_factor = [method for method in methods if method["id"].startswith("mfa_")]
        if by_factor and not second_factor.has_application(user):
            by_factor.reverse()
        request = allauth_context.request
        if by_factor and not (request and second_factor.is_break_glass(request, user)):
            return by_factor
        return methods


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors: their secrets are stored encrypted, their picture is drawn into the page."""

    def get_totp_issuer(self) -> str:
        """The name that the application on the phone shows."""
        return site.NAME

    def build_totp_svg(self, url: str) -> SafeString:
        """The QR code as part of the page."""
        return qr_code.draw(url, "Code QR pour l’application d’authentification")

    def encrypt(self, text: str) -> str:
        """A secret as it is stored: a copy of the database alone does not give it away."""
        return _keys().encrypt(text.encode()).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """The secret; where the site's key has changed, one that nobody knows, so that no code fits any more."""
        try:
            return _keys().decrypt(encrypted_text.encode("ascii")).decode()
        except InvalidToken:
            log.warning("a second factor cannot be read: the key in the secrets file is another one")
            return base64.b32encode(secrets.token_bytes(20)).decode("ascii")

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """To which site a passkey belongs: the host of `base_url`, else that of the request."""
        host = urlsplit(settings.LAKOU_BASE_URL or "").hostname or allauth_context.request.get_host().partition(":")[0]
        return {"id": host, "name": site.NAME}


def _keys() -> MultiFernet:
    """The site's key, and older ones while it is being changed (trust R23)."""
    return MultiFernet(
        [
            Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"lakou second factor" + str(key).encode()).digest()))
            for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
        ]
    )
