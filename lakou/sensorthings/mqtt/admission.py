"""Who may connect: the credential of a CONNECT, its will, its client id, and how many connections there are already.

The user name is a token's name and the password the token (DESIGN §6); without either a client is anonymous and reads
what is public. Anonymous connections are counted by address, others by token (trust R6).
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from lakou.kernel.errors import LakouError, Unauthorized
from lakou.sensorthings import writing
from lakou.sensorthings.access import ANONYMOUS, Authority, Principal
from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.mqtt import topics
from lakou.sensorthings.mqtt.packets import V5, Connect, Will
from lakou.sensorthings.mqtt.reasons import Reason
from lakou.sensorthings.mqtt.topics import TopicError
from lakou.sensorthings.rates import network

MAX_CLIENT_ID = 256


class Refused(Exception):
    """Why a CONNECT is refused: a reason code and words for the client. `stranger` when its credential is none."""

    def __init__(self, reason: Reason, message: str, stranger: Unauthorized | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.stranger = stranger


def check(authority: Authority, packet: Connect) -> tuple[Principal, str | None]:
    """The principal of a CONNECT, and what to ask the authority for it again; raises Refused."""
    if "authentication_method" in packet.properties:
        raise Refused(Reason.BAD_METHOD, "A client signs in with the name of a token and the token")
    if len(packet.client_id) > MAX_CLIENT_ID:
        raise Refused(Reason.CLIENT_ID_INVALID, f"A client id has at most {MAX_CLIENT_ID} characters")
    if packet.version != V5 and not packet.client_id and not packet.clean:  # 3.1.1 §3.1.3.1
        raise Refused(Reason.CLIENT_ID_INVALID, "A session that is kept needs a client id")
    principal, authorization = ANONYMOUS, None
    if packet.user is not None or packet.password is not None:
        principal, authorization = _credential(authority, packet)
    if packet.will is not None:
        _check_will(principal, packet.will, packet.version)
    return principal, authorization


def _credential(authority: Authority, packet: Connect) -> tuple[Principal, str]:
    try:
        authorization = "Bearer " + (packet.password or b"").decode("ascii")
        principal = authority.principal(authorization)
    except UnicodeDecodeError:
        raise _stranger(Unauthorized("The password is not a token")) from None
    except Unauthorized as error:
        raise _stranger(error) from None
    if principal.name != packet.user:
        other = Unauthorized("The user name is not the name of this token")
        other.token = principal.id
        raise _stranger(other)
    return principal, authorization


def _stranger(error: Unauthorized) -> Refused:
    return Refused(Reason.BAD_CREDENTIALS, error.message, error)


def _check_will(principal: Principal, will: Will, version: int) -> None:
    """A will that could never be published is refused now, not lost later."""
    if will.retain and version == V5:
        raise Refused(Reason.RETAIN_UNSUPPORTED, "Nothing is retained here")
    try:
        topics.write_target(will.topic, DEFAULT_LIMITS)
        writing.check_writer(principal)
    except TopicError as error:
        raise Refused(error.reason, error.message) from None
    except LakouError as error:
        raise Refused(Reason.NOT_AUTHORISED, error.message) from None


class Visitor(Protocol):
    """A connection, as far as it is counted."""

    principal: Principal
    address: str | None


class Room:
    """How many connections each token and each address has."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._counts: Counter[int | str] = Counter()
        self._inside: dict[Visitor, int | str] = {}

    def enter(self, visitor: Visitor) -> bool:
        """Whether one more connection of this credential is allowed; it is counted then. Loopback is not counted."""
        key: int | str | None = visitor.principal.id
        limit = self._limits.mqtt_connections_token
        if visitor.principal is ANONYMOUS:
            key = None if visitor.address is None else network(visitor.address)
            limit = self._limits.mqtt_connections_anonymous
        if key is None:
            return True
        if self._counts[key] >= limit:
            return False
        self._counts[key] += 1
        self._inside[visitor] = key
        return True

    def leave(self, visitor: Visitor) -> None:
        """A connection has ended, counted or not."""
        key = self._inside.pop(visitor, None)
        if key is not None:
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]
