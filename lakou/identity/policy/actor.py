"""Who acts: a plain value that every question to the policy begins with. Nothing here touches a database.

A person's grants come from the rows of roles, a token's from its row; `system` is the product itself and whoever
works at its command line. Roles hold for an organisation and a territory, or everywhere where they name none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lakou.sensorthings.access import PUBLIC


class ActorKind(StrEnum):
    """What kind of one acts."""

    ANONYMOUS = "anonymous"
    PERSON = "person"
    TOKEN = "token"  # noqa: S105
    SYSTEM = "system"


class Role(StrEnum):
    """What one may be. The last three are roles of tokens, the others of people; `anyone` is held by all."""

    ANYONE = "anyone"
    CITIZEN = "citizen"
    OBSERVER = "observer"
    DEVICE_OWNER = "device_owner"
    DATA_STEWARD = "data_steward"
    DUTY_OFFICER = "duty_officer"
    APPROVER = "approver"
    ADMINISTRATOR = "administrator"
    DEVICE = "device"
    AGENT = "agent"
    ADMIN = "admin"


TOKEN_ROLES = frozenset({Role.DEVICE, Role.AGENT, Role.ADMIN})
ROLE_WORDS: dict[Role, str] = {
    Role.ANYONE: "tout le monde",
    Role.CITIZEN: "habitant",
    Role.OBSERVER: "observateur",
    Role.DEVICE_OWNER: "propriétaire d’appareils",
    Role.DATA_STEWARD: "responsable des données",
    Role.DUTY_OFFICER: "agent d’astreinte",
    Role.APPROVER: "approbateur des alertes",
    Role.ADMINISTRATOR: "administrateur",
    Role.DEVICE: "appareil (jeton)",
    Role.AGENT: "agent (jeton)",
    Role.ADMIN: "administrateur (jeton)",
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role in an organisation (its number) and on a territory (its code); None holds for all of them."""

    role: Role
    organisation: int | None = None
    territory: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """One who acts. `mfa`: has shown a second factor in this session.

    `reads` are the scopes that may be read (None: all), `home` the scope of what is created as restricted.
    `owners` are the numbers of tokens whose entities count as one's own beside those made by oneself. `things` and
    `datastreams` are given to a scoped token: then it only adds Observations, and only to these.
    """

    kind: ActorKind = ActorKind.ANONYMOUS
    id: int = 0
    name: str = "anonymous"
    grants: frozenset[Grant] = frozenset()
    mfa: bool = False
    reads: frozenset[int] | None = frozenset({PUBLIC})
    home: int = PUBLIC
    owners: frozenset[int] = frozenset()
    things: frozenset[int] = frozenset()
    datastreams: frozenset[int] = frozenset()

    @property
    def is_scoped(self) -> bool:
        """Whether this is a token that was given single Things or Datastreams."""
        return bool(self.things or self.datastreams)

    def holds(self, role: Role) -> bool:
        """Whether the role is held anywhere."""
        return role is Role.ANYONE or any(grant.role is role for grant in self.grants)


ANONYMOUS = Actor()


def system(name: str = "lakou") -> Actor:
    """The product itself, or the command line in the name of the operating system's user."""
    return Actor(kind=ActorKind.SYSTEM, id=0, name=name, grants=frozenset({Grant(Role.ADMIN)}), mfa=True, reads=None)
