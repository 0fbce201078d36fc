"""Writes on tokens: one function per verb, each in one transaction that also raises the epoch."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from lakou.identity import secret
from lakou.identity.models import Epoch, Role, Scope, Token
from lakou.kernel.errors import BadRequest, Conflict, NotFound

_NAME = re.compile(r"\w[\w .@+-]{0,79}")


class NewToken(NamedTuple):
    """A token and its text. The text exists only here: it is shown once and never stored."""

    token: Token
    text: str


@transaction.atomic
def create_token(*, name: str, role: str, reads: Collection[str] = (), now: datetime | None = None) -> NewToken:
    """Make a token with a scope of its own. `reads` names tokens whose restricted things it may read too.

    Raises BadRequest for a bad name or role, Conflict when the name is taken, NotFound for an unknown `reads`.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest(
            "A token's name has 1 to 80 letters, digits, spaces or . @ + - _",
            place="name",
            hint="for example: river-gauge-12",
        )
    if role not in Role.values:
        raise BadRequest(f"There is no role {role!r}", place="role", hint="one of: " + ", ".join(Role.values))
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
        name=name, role=role, sha256="", home=home, created=now or datetime.now(UTC), epoch=_next_epoch()
    )
    token.reads.set([other.home for other in others])
    return NewToken(token, _give_secret(token))


@transaction.atomic
def renew_token(*, name: str) -> NewToken:
    """Give a token a new secret; what it owns stays its own, the old secret stops, a revoked one works again."""
    token = _locked(name)
    token.revoked = None
    token.epoch = _next_epoch()
    return NewToken(token, _give_secret(token))


@transaction.atomic
def revoke_token(*, name: str, now: datetime | None = None) -> Token:
    """Stop a token for good; revoking twice keeps the first time. Raises NotFound."""
    token = _locked(name)
    if token.revoked is None:
        token.revoked = now or datetime.now(UTC)
        token.epoch = _next_epoch()
        token.save(update_fields=["revoked", "epoch"])
    return token


def note_use(*, numbers: Collection[int], now: datetime) -> None:
    """Write down that these tokens were used lately; not a change of rights, so the epoch stays."""
    Token.objects.filter(pk__in=numbers).update(last_used=now)


def _locked(name: str) -> Token:
    token = Token.objects.select_for_update().filter(name=name).first()
    if token is None:
        raise NotFound(f"There is no token named {name!r}", place="name", hint="see: lakou token list")
    return token


def _give_secret(token: Token) -> str:
    text = secret.make(token.pk)
    token.sha256 = secret.digest(text)
    token.save(update_fields=["sha256", "revoked", "epoch"])
    return text


def _next_epoch() -> int:
    """Raise the epoch. The row stays locked until the commit, so epochs become visible in their order."""
    Epoch.objects.filter(pk=1).update(value=F("value") + 1)
    return Epoch.objects.get(pk=1).value
