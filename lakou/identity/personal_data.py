"""What is held about a person, as one JSON document that a program can read (RGPD, articles 15 and 20).

Nothing that opens an account is in it: no hash of a password, no secret of a factor, no code. Nor is what belongs to
others: people whom this one invited stand in it by the number of the invitation, those who acted on them by
`person:<number>` and without their network address.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings

from lakou.identity import acts, queries
from lakou.identity.journal import queries as journal
from lakou.identity.journal.acts import ACTS
from lakou.identity.journal.models import JournalRow
from lakou.identity.models import BreakGlassCode, Invitation, Person, RoleGrant, Token

FORMAT = "lakou.person/1"

Document = dict[str, Any]


def held_about(person: Person, now: datetime | None = None) -> Document:
    """All of it. Instants are RFC 3339 in UTC, a missing one is null."""
    at = now or datetime.now(UTC)
    rows = list(journal.rows_about(person.pk))
    return {
        "format": FORMAT,
        "made": _instant(at),
        "site": settings.LAKOU_BASE_URL,
        "person": {
            "number": person.pk,
            "name": person.name,
            "email": person.email,
            "is_active": person.is_active,
            "joined": _instant(person.joined),
            "last_login": _instant(person.last_login),
            "has_password": person.has_usable_password(),
        },
        "email_addresses": [
            {"email": one.email, "is_verified": one.verified, "is_primary": one.primary}
            for one in EmailAddress.objects.filter(user=person).order_by("pk")
        ],
        "memberships": sorted({grant.organisation.name for grant in queries.active_grants(person, at)}),
        "roles": [_role(grant) for grant in RoleGrant.objects.filter(person=person).select_related("organisation")],
        "sessions": [
            {
                "opened": _instant(one.created_at),
                "last_seen": _instant(one.last_seen_at),
                "address": one.ip,
                "browser": one.user_agent,
            }
            for one in UserSession.objects.filter(user=person).order_by("pk")
        ],
        "second_factors": [_factor(one) for one in Authenticator.objects.filter(user=person).order_by("pk")],
        "break_glass_codes": [
            {
                "number": one.number,
                "printed": _instant(one.printed),
                "used": _instant(one.used),
                "withdrawn": _instant(one.withdrawn),
                "wrong_passwords": one.failures,
            }
            for one in BreakGlassCode.objects.filter(person=person)
        ],
        "invitations_received": [
            {"email": one.email, **_invitation(one)} for one in queries.invitations_of(person).order_by("pk")
        ],
        "invitations_made": [_invitation(one) for one in Invitation.objects.filter(invited_by=person).order_by("pk")],
        "tokens_made": _tokens(rows, person.pk),
        "journal": [_journal_row(row, person.pk) for row in rows],
    }


def as_json(document: Document) -> str:
    """The document as it is handed over: UTF-8, indented, one line end at its end."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _role(grant: RoleGrant) -> Document:
    return {
        "role": grant.role,
        "organisation": grant.organisation.name,
        "territory": grant.territory,
        "granted": _instant(grant.granted_at),
        "granted_by": _who(grant.granted_by_id),
        "ended": _instant(grant.ended_at),
        "ended_by": _who(grant.ended_by_id),
    }


def _factor(authenticator: Any) -> Document:
    """Its kind and when; the name that its person gave to a key. `data`, which holds the secret, stays where it is."""
    return {
        "kind": str(authenticator.type),
        "name": authenticator.wrap().name if authenticator.type == Authenticator.Type.WEBAUTHN else None,
        "added": _instant(authenticator.created_at),
        "last_used": _instant(authenticator.last_used_at),
    }


def _invitation(invitation: Invitation) -> Document:
    organisation = invitation.organisation
    return {
        "number": invitation.pk,
        "for": "password" if organisation is None else "role",
        "organisation": None if organisation is None else organisation.name,
        "role": invitation.role or None,
        "territory": invitation.territory,
        "invited_by": _who(invitation.invited_by_id),
        "made": _instant(invitation.created),
        "expires": _instant(invitation.expires),
        "used": _instant(invitation.used),
        "withdrawn": _instant(invitation.withdrawn),
    }


def _tokens(rows: list[JournalRow], number: int) -> list[Document]:
    """Tokens belong to organisations; who made one is known from the journal alone."""
    made = {row.subject: row for row in rows if row.act == "token.created" and _is_actor(row, number)}
    found = {one.name: one for one in Token.objects.filter(name__in=made).select_related("organisation")}
    return [
        {
            "name": name,
            "made": _instant(row.at),
            "role": found[name].role if name in found else None,
            "organisation": getattr(getattr(found.get(name), "organisation", None), "name", None),
            "expires": _instant(getattr(found.get(name), "expires", None)),
            "revoked": _instant(getattr(found.get(name), "revoked", None)),
        }
        for name, row in made.items()
    ]


def _journal_row(row: JournalRow, number: int) -> Document:
    known = ACTS.get(row.act)
    return {
        "row": row.seq,
        "at": _instant(row.at),
        "act": row.act,
        "in_words": known.words if known else row.act,
        "outcome": row.outcome,
        "actor": f"{row.actor_kind}:{row.actor_id}" if row.actor_id else row.actor_kind,
        "subject": row.subject,
        "organisation": row.organisation or None,
        # What nobody was logged in for was tried on this account: by whom is what its person wants to know.
        "address": row.address if _is_actor(row, number) or row.actor_kind == "anonymous" else None,
        "detail": json.loads(row.detail),
    }


def _is_actor(row: JournalRow, number: int) -> bool:
    return row.actor_kind == "person" and row.actor_id == number


def _who(number: int | None) -> str | None:
    return None if number is None else acts.person(number)


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
