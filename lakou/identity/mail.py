"""The mail that identity sends by itself; allauth's goes through `adapters.py`.

Nothing is queued: a link in a queue would be a secret that lies about. Whoever waits for a mail is told when it did not
leave, and what they asked for can be asked again; a link that an administrator makes is shown to hand it over.
"""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from enum import StrEnum

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from lakou.identity.actions.invitations import NewInvitation
from lakou.identity.site import NAME, absolute

FAILURES = (OSError, smtplib.SMTPException)
"""What a mail server does that is away, refuses the log-in, or refuses a message."""
PERMANENT = 500  # RFC 5321 §4.2.1: from here on, trying again is of no use

log = structlog.get_logger(__name__)


class Delivery(StrEnum):
    """What became of a message: taken by the mail server; its address refused for good; or not sent now."""

    SENT = "sent"
    REFUSED = "refused"
    AWAY = "away"


def delivery_of(error: Exception) -> Delivery:
    """What this failure means for who waits."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        if codes and all(code >= PERMANENT for code in codes):
            return Delivery.REFUSED
    return Delivery.AWAY


def send_invitation(made: NewInvitation) -> bool:
    """Send the link of an invitation or for a new password; whether it left. Without a mail server nothing is sent."""
    if not settings.LAKOU_HAS_MAIL:
        return False
    link = absolute(reverse("identity:invitation_link", args=[made.secret]))
    subject = "nouveau mot de passe" if made.invitation.person_id else "invitation"
    context = {"invitation": made.invitation, "link": link}
    return _send(made.invitation.email, subject, "identity/invitation.txt", context) is Delivery.SENT


def send_address_link(*, email: str, key: str) -> Delivery:
    """Send the link that makes this the address of an account."""
    link = absolute(reverse("account_confirm_email", args=[key]))
    return _send(email, "confirmez votre nouvelle adresse", "identity/address_link.txt", {"link": link, "email": email})


def tell_old_address(*, old: str, new: str) -> Delivery:
    """Tell the address that an account had of the one that takes its place."""
    context = {"old": old, "new": new}
    return _send(old, "l’adresse de votre compte change", "identity/address_changes.txt", context)


def _send(email: str, subject: str, template: str, context: Mapping[str, object]) -> Delivery:
    try:
        send_mail(f"{NAME} : {subject}", render_to_string(template, context), None, [email])
    except FAILURES as error:
        found = delivery_of(error)
        log.warning("mail was not sent", template=template, delivery=str(found), error=type(error).__name__)
        return found
    return Delivery.SENT
