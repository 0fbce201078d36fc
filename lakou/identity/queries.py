"""Every read of identity worth a name."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from lakou.identity.models import Epoch, Token


def current_epoch() -> int:
    """The number of the last change of any token; 0 when nothing was ever changed."""
    return Epoch.objects.values_list("value", flat=True).filter(pk=1).first() or 0


def tokens_changed_since(epoch: int) -> QuerySet[Token]:
    """Tokens changed after this epoch, with the scopes they read and what they were given."""
    return Token.objects.filter(epoch__gt=epoch).prefetch_related("reads", "grants")


def tokens() -> QuerySet[Token]:
    """All tokens by name, revoked ones too."""
    return Token.objects.select_related("home").prefetch_related("reads", "grants")


def token(number: int) -> Token | None:
    """One token by its number, with what it reads and what it was given."""
    return tokens().filter(pk=number).first()


def valid_tokens(now: datetime) -> QuerySet[Token]:
    """Tokens that are neither revoked nor over."""
    return Token.objects.filter(Q(expires=None) | Q(expires__gt=now), revoked=None)
