"""The mail that identity sends by itself; allauth's goes through `adapters.py`.

Nothing is queued: a link in a queue would be a secret that lies about. Whoever waits for a mail is told when it did not
leave, and what they asked for can be asked again; a link that an administrator makes is shown to hand it over.
"""

from __future__ import annotations

import atexit
import smtplib
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from lakou.identity.site import NAME, absolute

if TYPE_CHECKING:
    from lakou.identity.actions.invitations import NewInvitation

FAILURES = (OSError, smtplib.SMTPException)
"""What a mail server does that is away, refuses the log-in, or refuses a message."""
FINISH_S = 5.0
SENDING = "lakou-mail"
"""The name of the threads that send."""
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


def tell_of_act(*, email: str, words: str, at: datetime, address: str | None) -> threading.Thread | None:
    """Tell somebody of what was done to their account, for it may not have been them; the thread that sends it.

    Nobody waits for it, least of all who comes in with a break-glass code while the network is cut. None without a mail
    server: nobody would look for it in the outbox.
    """
    if not settings.LAKOU_HAS_MAIL:
        return None
    context = {"words": words, "at": at, "address": address}
    given = (email, words[:1].lower() + words[1:], "identity/told_of_act.txt", context)
    sending = threading.Thread(target=_send, args=given, name=SENDING, daemon=True)
    sending.start()
    return sending


@atexit.register
def finish() -> None:
    """At the end of the process, a command's most of all: give what is being sent a moment, and no more."""
    end = time.monotonic() + FINISH_S
    for thread in threading.enumerate():
        if thread.name == SENDING:
            thread.join(max(0.0, end - time.monotonic()))


def _send(email: str, subject: str, template: str, context: Mapping[str, object]) -> Delivery:
    try:
        send_mail(f"{NAME} : {subject}", render_to_string(template, context), None, [email])
    except FAILURES as error:
        found = delivery_of(error)
        log.warning("mail was not sent", template=template, delivery=str(found), error=type(error).__name__)
        return found
    return Delivery.SENT
