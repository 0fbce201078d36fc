"""The mail that carries an invitation. Without a mail server nothing is sent: the administrator hands the link over."""

from __future__ import annotations

import smtplib

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from lakou.identity.actions.invitations import NewInvitation
from lakou.identity.adapters import absolute

log = structlog.get_logger(__name__)


def send(made: NewInvitation) -> bool:
    """Send it; whether it left. A mail server that is away stops nobody."""
    if not settings.LAKOU_HAS_MAIL:
        return False
    link = absolute(reverse("identity:invitation_link", args=[made.secret]))
    context = {"invitation": made.invitation, "link": link}
    subject = "Lakou : nouveau mot de passe" if made.invitation.person_id else "Lakou : invitation"
    try:
        send_mail(subject, render_to_string("identity/invitation.txt", context), None, [made.invitation.email])
    except (OSError, smtplib.SMTPException) as error:
        log.warning("invitation was not sent", invitation=made.invitation.pk, error=type(error).__name__)
        return False
    return True
