"""What allauth and Django tell of log-ins, passwords and factors, passed on to `acts.note`. No rule lives here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from allauth.account import signals as account
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa import signals as mfa
from django.contrib.auth import signals as auth
from django.contrib.sessions.models import Session
from django.http import HttpRequest

from lakou.identity import acts, queries, second_factor


def connect() -> None:
    """Listen; called once, when Django is loaded."""
    account.user_logged_in.connect(logged_in, dispatch_uid="lakou.logged_in")
    auth.user_logged_out.connect(logged_out, dispatch_uid="lakou.logged_out")
    auth.user_login_failed.connect(login_refused, dispatch_uid="lakou.login_refused")
    for signal in (account.password_changed, account.password_set, account.password_reset):
        signal.connect(password_changed, dispatch_uid="lakou.password_changed")
    mfa.authenticator_added.connect(factor_added, dispatch_uid="lakou.factor_added")
    mfa.authenticator_removed.connect(factor_removed, dispatch_uid="lakou.factor_removed")
    mfa.authenticator_reset.connect(factor_renewed, dispatch_uid="lakou.factor_renewed")
    mfa.authentication_failed.connect(factor_refused, dispatch_uid="lakou.factor_refused")


def logged_in(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """A log-in is as good as being asked again just now; and an occasion to sweep sessions that are over."""
    methods = [str(record.get("method")) for record in get_authentication_records(request, user)]
    how = "mfa" if "mfa" in methods else "password"
    if methods:
        record_authentication(request, user, how, reauthenticated=True)
    Session.objects.filter(expire_date__lt=datetime.now(UTC)).delete()
    acts.note("login", actor=acts.person(user.pk), subject=acts.person(user.pk), detail={"by": ", ".join(methods)})


def logged_out(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Somebody left."""
    if user is not None:
        acts.note("logout", actor=acts.person(user.pk), subject=acts.person(user.pk))


def login_refused(sender: Any, credentials: dict[str, Any], **kwargs: Any) -> None:
    """A wrong password, or an address that nobody has; which of the two is known from the subject."""
    person = queries.person_by_email(str(credentials.get("email", "")))
    if person is None:
        acts.note_gathered("login.refused")
    else:  # five in five minutes, then the account is locked
        acts.note("login.refused", actor=acts.ANONYMOUS, subject=acts.person(person.pk), outcome="failure")


def password_changed(sender: Any, user: Any, **kwargs: Any) -> None:
    """By the person, on a page of theirs or by a link in a mail."""
    acts.note("password.changed", actor=acts.person(user.pk), subject=acts.person(user.pk))


def factor_added(sender: Any, request: HttpRequest, user: Any, authenticator: Any, **kwargs: Any) -> None:
    """Who has just shown a new factor need not show it again in this session."""
    if authenticator.type != "recovery_codes":
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)
    _factor("second_factor.added", user, authenticator)


def factor_removed(sender: Any, request: HttpRequest, user: Any, authenticator: Any, **kwargs: Any) -> None:
    """A factor was taken away by its person. After the last one this session has shown none any more."""
    if not second_factor.has_one(user):
        second_factor.forget(request)
    _factor("second_factor.removed", user, authenticator)


def factor_renewed(sender: Any, user: Any, authenticator: Any, **kwargs: Any) -> None:
    """New recovery codes."""
    _factor("second_factor.renewed", user, authenticator)


def factor_refused(sender: Any, user: Any, authenticator: Any, **kwargs: Any) -> None:
    """A wrong code of the second factor."""
    acts.note(
        "second_factor.refused",
        actor=acts.ANONYMOUS,
        subject=acts.person(user.pk),
        outcome="failure",
        detail={"kind": authenticator.type},
    )


def _factor(act: str, user: Any, authenticator: Any) -> None:
    acts.note(act, actor=acts.person(user.pk), subject=acts.person(user.pk), detail={"kind": str(authenticator.type)})
