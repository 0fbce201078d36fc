"""Has this session shown a second factor, and does its person need one? (trust R7: approvers and administrators)

A session is strong when a second factor was given in it, at the log-in or later, or when it began by break-glass.
"""

from __future__ import annotations

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY, get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from lakou.identity import queries
from lakou.identity.models import Person, PersonRole

BREAK_GLASS = "break_glass"
STRONG = frozenset({"mfa", BREAK_GLASS})
APPLICATION = ["totp"]
FACTORS = [*APPLICATION, "webauthn"]
# Without one, the policy lets these do nothing of what they are for.
NEEDED_BY = frozenset({PersonRole.APPROVER, PersonRole.ADMINISTRATOR})


def is_strong(request: HttpRequest, person: Person) -> bool:
    """Whether a second factor was given in this session."""
    return any(record.get("method") in STRONG for record in get_authentication_records(request, person))


def forget(request: HttpRequest) -> None:
    """Make this session one in which no second factor was shown."""
    records = request.session.get(AUTHENTICATION_METHODS_SESSION_KEY, [])
    request.session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        record for record in records if record.get("method") not in STRONG
    ]


def is_break_glass(request: HttpRequest, person: Person) -> bool:
    """Whether this session began with a printed code."""
    return any(record.get("method") == BREAK_GLASS for record in get_authentication_records(request, person))


def is_needed(person: Person) -> bool:
    """Whether a role of this person asks for a second factor."""
    return queries.active_grants(person).filter(role__in=NEEDED_BY).exists()


def where_to_give(person: Person, back: str) -> str:
    """The address at which this person sets up a second factor, or gives theirs and goes on to `back`."""
    if not has_one(person):
        return reverse("mfa_index")
    page = "mfa_reauthenticate" if has_application(person) else "mfa_reauthenticate_webauthn"
    return f"{reverse(page)}?{urlencode({'next': back})}"


def has_one(person: Person) -> bool:
    """Whether this person has an application, a key or a passkey; recovery codes alone are none."""
    return bool(is_mfa_enabled(person, FACTORS))


def has_application(person: Person) -> bool:
    """Whether this person has an application that shows codes; who has none is asked for their key first."""
    return bool(is_mfa_enabled(person, APPLICATION))
