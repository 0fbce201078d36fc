"""Writes on tokens: one function per verb, each in one transaction that also raises the epoch and, last of all, leaves
its row in the journal.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from lakou.identity import secret
from lakou.identity.journal import actions as journal
from lakou.identity.models import Epoch, Organisation, Role, Scope, Token, TokenGrant
from lakou.identity.policy import Actor, system
from lakou.kernel.errors import BadRequest, Conflict, NotFound

SYSTEM = system()
LONGEST_OVERLAP = timedelta(days=30)
MOST_GRANTS = 1_000
_NAME = re.compile(r"\w[\w .@+-]{0,79}")


class NewToken(NamedTuple):
    """A token and its text. The text exists only here: it is shown once and never stored."""

    token: Token
    text: str


@transaction.atomic
def create_token(
    *,
    name: str,
    role: str,
    reads: Collection[str] = (),
    things: Collection[int] = (),
    datastreams: Collection[int] = (),
    expires: datetime | None = None,
    organisation: Organisation | None = None,
    actor: Actor = SYSTEM,
    address: str | None = None,
    now: datetime | None = None,
) -> NewToken:
    """Make a token with a scope of its own. `reads` names tokens whose restricted things it may read too.

    With `things` or `datastreams` it is scoped: it may add Observations to these and write nothing else. It is a token
    of `organisation`, of the one that runs the site if of no other: people of these read what it restricts.
    Raises BadRequest for a bad name, role, id or expiry, Conflict when the name is taken, NotFound for an unknown
    `reads`.
    """
    at = now or datetime.now(UTC)
    if not _NAME.fullmatch(name):
        raise BadRequest(
            "A token's name has 1 to 80 letters, digits, spaces or . @ + - _",
            place="name",
            hint="for example: river-gauge-12",
        )
    if role not in Role.values:
        raise BadRequest(f"There is no role {role!r}", place="role", hint="one of: " + ", ".join(Role.values))
    _check_expiry(expires, at)
    if Token.objects.filter(name=name).exists():
        raise Conflict(
            f"There is a token named {name!r} already",
            place="name",
            hint="take another name, or give it a new secret with: lakou token renew NAME",
        )
    others = list(Token.objects.filter(name__in=reads).select_related("home"))
    if missing := set(reads) - {other.name for other in others}:
        raise NotFound(f"There is no token named {min(missing)!r}", place="reads", hint="see: lakou token list")
    home = Scope.objects.create(title=name)
    # The number is part of the text, so the digest is known only once the row has its number.
    token = Token.objects.create(
        name=name, role=role, organisation=organisation, home=home, created=at, expires=expires, epoch=_next_epoch()
    )
    token.reads.set([other.home for other in others])
    _give(token, things, datastreams)
    text = _give_secret(token)
    detail: dict[str, str | list[str] | list[int]] = {"role": role}
    if reads:
        detail["reads"] = sorted(reads)
    if things:
        detail["things"] = sorted(things)
    if datastreams:
        detail["datastreams"] = sorted(datastreams)
    if expires is not None:
        detail["expires"] = expires.isoformat()
    _record("token.created", token, actor, address, at, detail)
    return NewToken(token, text)


@transaction.atomic
def renew_token(
    *,
    name: str,
    overlap: timedelta = timedelta(),
    expires: datetime | None = None,
    actor: Actor = SYSTEM,
    address: str | None = None,
    now: datetime | None = None,
) -> NewToken:
    """Give a token a new secret; what it owns stays its own, a revoked one works again.

    The old secret stops now, or after `overlap` (at most 30 days). `expires` sets a new end. Raises NotFound,
    BadRequest, and Conflict when the token has expired and no new end is given.
    """
    at = now or datetime.now(UTC)
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise BadRequest(
            "The old secret is valid for 0 to 30 days more", place="overlap", hint="0 stops it at once, the safe choice"
        )
    _check_expiry(expires, at)
    token = _locked(name)
    if expires is None and token.expires is not None and token.expires <= at:
        raise Conflict(f"The token {name!r} has expired", place="expires", hint="give a new end with the new secret")
    token.expires = expires or token.expires
    # A revoked secret never comes back.
    keep = overlap > timedelta() and token.revoked is None
    token.previous_sha256, token.previous_until = (token.sha256, at + overlap) if keep else ("", None)
    was_revoked, token.revoked = token.revoked is not None, None
    token.epoch = _next_epoch()
    text = _give_secret(token)
    detail = {"overlap_s": int(overlap.total_seconds()), "was_revoked": was_revoked}
    _record("token.rotated", token, actor, address, at, detail)
    return NewToken(token, text)


@transaction.atomic
def revoke_token(*, name: str, actor: Actor = SYSTEM, address: str | None = None, now: datetime | None = None) -> Token:
    """Stop a token for good, with all its secrets; revoking twice keeps the first time. Raises NotFound."""
    token = _locked(name)
    if token.revoked is None:
        token.revoked = now or datetime.now(UTC)
        token.previous_sha256, token.previous_until = "", None
        token.epoch = _next_epoch()
        token.save(update_fields=["revoked", "epoch", "previous_sha256", "previous_until"])
        _record("token.revoked", token, actor, address, token.revoked, {})
    return token


@transaction.atomic
def give_token(
    *,
    name: str,
    things: Collection[int],
    datastreams: Collection[int],
    actor: Actor = SYSTEM,
    address: str | None = None,
    now: datetime | None = None,
) -> Token:
    """Set what a token may add Observations to, in place of what it was given; none of both lifts the bound.

    Raises NotFound, BadRequest.
    """
    token = _locked(name)
    token.grants.all().delete()
    _give(token, things, datastreams)
    token.epoch = _next_epoch()
    token.save(update_fields=["epoch"])
    detail = {"things": sorted(things), "datastreams": sorted(datastreams)}
    _record("token.scoped", token, actor, address, now, detail)
    return token


def settle_devices(*, organisation: Organisation) -> int:
    """Write this organisation, the host until now, on tokens of devices that name none; how many there were."""
    return Token.objects.filter(organisation=None, role=Role.DEVICE).update(organisation=organisation)


def note_use(*, numbers: Collection[int], now: datetime) -> None:
    """Write down that these tokens were used lately; not a change of rights, so the epoch stays."""
    Token.objects.filter(pk__in=numbers).update(last_used=now)


def _record(
    act: str, token: Token, actor: Actor, address: str | None, now: datetime | None, detail: journal.Detail
) -> None:
    journal.record(
        act=act,
        actor=actor,
        subject=token.name,
        organisation=token.organisation_id,
        detail=detail,
        address=address,
        now=now,
    )


def _locked(name: str) -> Token:
    token = Token.objects.select_for_update().filter(name=name).first()
    if token is None:
        raise NotFound(f"There is no token named {name!r}", place="name", hint="see: lakou token list")
    return token


def _give(token: Token, things: Collection[int], datastreams: Collection[int]) -> None:
    wanted = [(TokenGrant.Type.THING, id_) for id_ in sorted(set(things))]
    wanted += [(TokenGrant.Type.DATASTREAM, id_) for id_ in sorted(set(datastreams))]
    if len(wanted) > MOST_GRANTS:
        raise BadRequest(f"A token is given at most {MOST_GRANTS} Things and Datastreams", place="things")
    for kind, id_ in wanted:
        if not 0 < id_ < 2**63:
            raise BadRequest(f"{id_} is no id of a {kind}", place=f"{kind.lower()}s", hint="a whole number above 0")
    TokenGrant.objects.bulk_create(TokenGrant(token=token, entity_type=kind, entity_id=id_) for kind, id_ in wanted)


def _check_expiry(expires: datetime | None, now: datetime) -> None:
    if expires is not None and expires <= now:
        raise BadRequest("The end of the token lies in the past", place="expires", hint="a day or an instant to come")


def _give_secret(token: Token) -> str:
    text = secret.make(token.pk)
    token.sha256 = secret.digest(text)
    token.save()
    return text


def _next_epoch() -> int:
    """Raise the epoch. The row stays locked until the commit, so epochs become visible in their order."""
    Epoch.objects.filter(pk=1).update(value=F("value") + 1)
    return Epoch.objects.get(pk=1).value
