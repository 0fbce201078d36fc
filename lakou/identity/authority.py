"""From an Authorization header to a principal, out of memory (implements `sensorthings.access.Authority`).

A thread of its own watches the epoch in the civic database, so that a new token works and a revoked one
stops within a second in every process. An unknown token asks that thread to look at once, a bounded number of
times a second: a flood of bad tokens costs no database work. While the database cannot be reached the last
known tokens stay valid: an outage of the civic database must not silence the sensors.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
import time
from datetime import UTC, datetime
from typing import NamedTuple

import structlog
from django.db import DatabaseError, connection

from lakou.identity import actions, queries, secret
from lakou.identity.models import Role, Token, TokenGrant
from lakou.identity.policy import ANONYMOUS, Actor, ActorKind, Grant, principal_of
from lakou.identity.policy import Role as Held
from lakou.identity.scopes import PUBLIC, UNCLAIMED
from lakou.kernel.errors import Unauthorized
from lakou.sensorthings import access
from lakou.sensorthings.access import Principal

POLL_S = 0.4
# A look-up wanted by an unknown token: at most this many a second, each waited for at most so long.
LOOKUPS_PER_S = 5
LOOKUP_WAIT_S = 0.02
NOTE_USE_S = 60.0
# SQLite answers from its pages in memory even when the file is broken: so often it is opened anew, to know.
OPEN_ANEW_S = 2.0
MAX_HEADER = 1024
# Headers of late, with their principal: a sensor sends the same one again and again.
KEPT_HEADERS = 10_000

log = structlog.get_logger(__name__)


class _Secret(NamedTuple):
    """One text that is valid for a token: its digest, until when (seconds since 1970), and for whom."""

    digest: str
    until: float
    actor: Actor
    principal: Principal


class _Recent(NamedTuple):
    """A header of late: true for this epoch of the tokens, and until this instant."""

    epoch: int
    until: float
    principal: Principal
    secret: _Secret


class TokenAuthority:
    """The tokens in memory. `start()` loads them and begins to watch; `principal()` never touches the database."""

    def __init__(self, *, poll_s: float = POLL_S) -> None:
        self._poll_s = poll_s
        self._known: dict[int, list[_Secret]] = {}
        self._recent: dict[str, _Recent] = {}
        self._epoch = -1
        self._used: set[int] = set()
        self._used_noted = time.monotonic()
        self._wake = threading.Event()
        self._looked = threading.Event()
        self._stopping = False
        self._allowance = float(LOOKUPS_PER_S)
        self._allowance_at = time.monotonic()
        self._thread: threading.Thread | None = None
        self.is_reachable = True
        """Whether the civic database answered when the tokens were last looked at."""

    def start(self) -> None:
        """Load all tokens, then watch in the background. Blocks on the database: call it off the event loop."""
        self.refresh()
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name="token-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch and write down the last uses."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._thread = None

    def principal(self, authorization: str | None) -> Principal:
        """The principal of `Bearer lk_…` or Basic (token as password); ANONYMOUS without a header.

        Raises Unauthorized for another scheme, a text that is no token, and an unknown, expired or revoked token.
        """
        if authorization is None:
            return access.ANONYMOUS
        recent = self._recent.get(authorization)
        if recent is not None:
            # On the way of every request: nothing but a look-up and two comparisons.
            epoch, until, principal, _ = recent
            if epoch == self._epoch and time.time() < until:
                self._used.add(principal.id)
                return principal
        return self._remembered(authorization).principal

    def actor(self, authorization: str | None) -> Actor:
        """The same as an actor, for the policy."""
        if authorization is None:
            return ANONYMOUS
        self.principal(authorization)
        recent = self._recent.get(authorization)
        # Another thread may have cleared the memory meanwhile.
        return (recent.secret if recent is not None else self._look_up(authorization)).actor

    def _remembered(self, authorization: str) -> _Secret:
        # Read before the look-up: what a change of tokens overtakes is remembered under an epoch that is over.
        epoch = self._epoch
        found = self._look_up(authorization)
        if len(self._recent) >= KEPT_HEADERS:
            self._recent.clear()
        self._recent[authorization] = _Recent(epoch, found.until, found.principal, found)
        self._used.add(found.principal.id)
        return found

    def _look_up(self, authorization: str) -> _Secret:
        text = _token_text(authorization)
        number = secret.number_of(text)
        if number is None:
            raise Unauthorized(
                "This is not a Lakou token",
                place="Authorization",
                hint="a token has the form lk_<number>_<43 letters and digits>: lakou token create NAME --role device",
            )
        digest = secret.digest(text)
        found = self._find(number, digest)
        if found is None and self._look_again():
            found = self._find(number, digest)
        if found is None:
            refusal = Unauthorized(
                "This token is unknown, has expired or was revoked",
                place="Authorization",
                hint="ask an administrator for a new one: lakou token renew NAME",
            )
            refusal.token = number if number in self._known else 0
            raise refusal
        return found

    def refresh(self) -> None:
        """Read what has changed since the known epoch. Blocks on the database."""
        epoch = queries.current_epoch()
        if epoch == self._epoch:
            return
        for token in queries.tokens_changed_since(self._epoch):
            if token.revoked is None:
                self._known[token.pk] = _secrets_of(token)
            else:
                self._known.pop(token.pk, None)
        self._epoch = epoch

    def _find(self, number: int, digest: str) -> _Secret | None:
        now = time.time()
        for stored in self._known.get(number, ()):
            if hmac.compare_digest(stored.digest, digest) and now < stored.until:
                return stored
        return None

    def _look_again(self) -> bool:
        """Ask the watching thread to look now; False when the allowance is spent or it takes too long."""
        if self._thread is None:
            return False
        now = time.monotonic()
        self._allowance = min(LOOKUPS_PER_S, self._allowance + (now - self._allowance_at) * LOOKUPS_PER_S)
        self._allowance_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        self._looked.clear()
        self._wake.set()
        return self._looked.wait(LOOKUP_WAIT_S)

    def _watch(self) -> None:
        opened = time.monotonic()
        while True:
            self._wake.wait(self._poll_s)
            self._wake.clear()
            try:
                if connection.vendor == "sqlite" and time.monotonic() - opened >= OPEN_ANEW_S:
                    connection.close()
                    opened = time.monotonic()
                self.refresh()
                self._note_use()
                self.is_reachable = True
            except DatabaseError as error:
                if self.is_reachable:
                    log.warning("tokens cannot be read, the last known ones stay valid", error=type(error).__name__)
                self.is_reachable = False
                connection.close()
            self._looked.set()
            if self._stopping:
                connection.close()
                return

    def _note_use(self) -> None:
        now = time.monotonic()
        if self._used and (self._stopping or now - self._used_noted >= NOTE_USE_S):
            used, self._used = self._used, set()
            self._used_noted = now
            actions.note_use(numbers=used, now=datetime.now(UTC))


def _secrets_of(token: Token) -> list[_Secret]:
    """The present secret of a token and, after a rotation, the one before it for as long as it is valid."""
    actor = actor_of(token)
    principal = principal_of(actor)
    end = token.expires.timestamp() if token.expires else float("inf")
    found = [_Secret(token.sha256, end, actor, principal)]
    if token.previous_sha256 and token.previous_until:
        found.append(_Secret(token.previous_sha256, min(end, token.previous_until.timestamp()), actor, principal))
    return found


def actor_of(token: Token) -> Actor:
    """Who acts with a token. An admin sees all, others what is public, their own scope and what they were granted.

    Agents also see unclaimed devices, for claiming them is their work.
    """
    given: dict[str, set[int]] = {TokenGrant.Type.THING: set(), TokenGrant.Type.DATASTREAM: set()}
    for grant in token.grants.all():
        given[grant.entity_type].add(grant.entity_id)
    reads = None
    if token.role != Role.ADMIN:
        granted = {scope.pk for scope in token.reads.all()}
        reads = frozenset({PUBLIC, token.home_id} | granted | ({UNCLAIMED} if token.role == Role.AGENT else set()))
    return Actor(
        kind=ActorKind.TOKEN,
        id=token.pk,
        name=token.name,
        grants=frozenset({Grant(Held(token.role))}),
        reads=reads,
        home=token.home_id,
        things=frozenset(given[TokenGrant.Type.THING]),
        datastreams=frozenset(given[TokenGrant.Type.DATASTREAM]),
    )


def _token_text(authorization: str) -> str:
    """The token in a header value. RFC 6750 §2.1, RFC 7617 §2; the scheme's case does not matter."""
    scheme, _, rest = authorization.strip().partition(" ")
    value = rest.strip()
    if len(authorization) <= MAX_HEADER and value:
        if scheme.lower() == "bearer":
            return value
        if scheme.lower() == "basic":
            try:
                _, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
            except (binascii.Error, UnicodeDecodeError, ValueError):
                colon = password = ""
            if colon:
                return password
    raise Unauthorized(
        "The Authorization header cannot be read",
        place="Authorization",
        hint="send 'Authorization: Bearer lk_…', or Basic with the token as the password",
    )


_current: TokenAuthority | None = None


def install(authority: TokenAuthority) -> None:
    """Make this the authority that pages and webhooks of this process ask."""
    global _current
    _current = authority


def current() -> TokenAuthority:
    """The authority of this process; without a running server one that is loaded now and does not watch."""
    if _current is None:
        authority = TokenAuthority()
        authority.refresh()
        return authority
    return _current
