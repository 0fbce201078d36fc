"""`may`: the one function that decides, by the table; and the principal that the data plane decides with, from it.

The data plane checks rights a hundred thousand times a second without Django, so it is given what the table says as a
frozen value with sets. tests/identity/policy compares both on random actors and objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lakou.identity.policy.actor import ANONYMOUS, TOKEN_ROLES, Actor, ActorKind, Grant, Role
from lakou.identity.policy.rules import BY_SUBJECT, Action, Kind, Rule, When
from lakou.kernel.errors import Forbidden, NotFound, Unauthorized
from lakou.sensorthings import access
from lakou.sensorthings.access import PUBLIC, Changes, Principal

PEOPLE_BELOW = -1_000
"""People own entities under numbers from here downwards, for tokens have the positive ones and -1 is the product."""


@dataclass(frozen=True, slots=True)
class Object:
    """What something is done to, as far as rights depend on it.

    `scope` is that of its row; `owner` the number that made it (a token's, or `owner_of_person`); `territories` are the
    codes of all territories it lies in. `person` is whose it is. `thing`, `datastream` say where an Observation goes.
    """

    kind: Kind
    organisation: int | None = None
    territories: frozenset[str] = frozenset()
    scope: int = PUBLIC
    owner: int = 0
    person: int | None = None
    thing: int | None = None
    datastream: int | None = None
    role: Role | None = None
    """The role of a token."""
    label: str = ""
    """What a refusal calls it, such as "token gauge-12"."""


def owner_of_person(number: int) -> int:
    """The number under which a person owns entities of the observation store."""
    return PEOPLE_BELOW - number


def may(actor: Actor, action: Action, obj: Object) -> bool:
    """Whether the table allows it. What it does not name is refused; raises TypeError for what is no `Action`."""
    if not isinstance(action, Action):
        raise TypeError(f"{action!r} is no action of the policy")
    return any(
        _applies(rule, grant, actor, obj)
        for rule in BY_SUBJECT.get((action, obj.kind), ())
        for grant in _grants(actor)
        if grant.role in rule.roles
    )


def may_somewhere(actor: Actor, action: Action, kind: Kind) -> bool:
    """Whether it is allowed in any organisation, on any territory where the actor holds a role: for doors and menus."""
    places = {(grant.organisation, grant.territory) for grant in actor.grants}
    return any(
        may(actor, action, Object(kind, organisation, frozenset({territory} if territory else ())))
        for organisation, territory in places
    )


def require(actor: Actor, action: Action, obj: Object) -> None:
    """Nothing when it is allowed. Raises Unauthorized for a stranger, NotFound for what the actor may not know of
    (another's object: 404 in place of 403), else Forbidden.
    """
    if may(actor, action, obj):
        return
    if actor.kind is ActorKind.ANONYMOUS:
        raise Unauthorized("Please sign in, or send a token", place="Authorization")
    if (Action.READ, obj.kind) in BY_SUBJECT and not may(actor, Action.READ, obj) and _is_single(obj):
        raise NotFound(f"There is no {obj.label or obj.kind}")
    raise Forbidden(f"You may not {action} {obj.label or 'this ' + obj.kind}", hint="an administrator gives the role")


def principal_of(actor: Actor) -> Principal:
    """What the table allows this actor in the data plane, as the value that it checks with."""
    if actor == ANONYMOUS:
        return access.ANONYMOUS
    if actor.kind is ActorKind.SYSTEM:
        return access.ADMIN
    number = actor.id if actor.kind is ActorKind.TOKEN else owner_of_person(actor.id)
    label = next((str(grant.role) for grant in actor.grants if grant.role in TOKEN_ROLES), str(actor.kind))
    return Principal(
        id=number,
        name=actor.name,
        role=label,
        reads=actor.reads,
        home=actor.home,
        changes=_changes(actor),
        owners=actor.owners,
        things=actor.things,
        streams=actor.datastreams,
    )


def _changes(actor: Actor) -> Changes:
    """The widest right to change entities that the table gives."""
    found = Changes.NOTHING
    for rule in BY_SUBJECT[Action.CHANGE, Kind.ENTITY]:
        if any(grant.role in rule.roles for grant in actor.grants):
            if When.WHOLE in rule.when and actor.is_scoped:
                found = max(found, Changes.GIVEN)
            else:
                found = max(found, Changes.OWN if When.OWN in rule.when else Changes.ALL)
    return found


def _grants(actor: Actor) -> tuple[Grant, ...]:
    """The roles of the actor; a person who is signed in is at least a citizen, and everybody is anyone."""
    everyone = (Grant(Role.ANYONE), *((Grant(Role.CITIZEN),) if actor.kind is ActorKind.PERSON else ()))
    return (*everyone, *actor.grants)


def _applies(rule: Rule, grant: Grant, actor: Actor, obj: Object) -> bool:
    return all(_HOLDS[condition](actor, grant, obj) for condition in rule.when)


def _is_single(obj: Object) -> bool:
    """Whether this is one object of somebody, not a kind of object as a whole."""
    return bool(obj.organisation or obj.owner or obj.person or obj.scope != PUBLIC)


def _is_visible(actor: Actor, grant: Grant, obj: Object) -> bool:
    return obj.scope >= PUBLIC and (actor.reads is None or obj.scope in actor.reads)


def _is_own(actor: Actor, grant: Grant, obj: Object) -> bool:
    own = actor.id if actor.kind is ActorKind.TOKEN else owner_of_person(actor.id)
    return obj.owner != 0 and (obj.owner == own or obj.owner in actor.owners)


def _is_given(actor: Actor, grant: Grant, obj: Object) -> bool:
    return obj.scope >= PUBLIC and (obj.datastream in actor.datastreams or obj.thing in actor.things)


def _is_within(actor: Actor, grant: Grant, obj: Object) -> bool:
    return (grant.organisation is None or grant.organisation == obj.organisation) and (
        grant.territory is None or grant.territory in obj.territories
    )


def _is_everywhere(actor: Actor, grant: Grant, obj: Object) -> bool:
    return grant.organisation is None and grant.territory is None


def _is_lesser(actor: Actor, grant: Grant, obj: Object) -> bool:
    return obj.role in (None, Role.DEVICE)


def _is_self(actor: Actor, grant: Grant, obj: Object) -> bool:
    return actor.kind is ActorKind.PERSON and obj.person is not None and obj.person == actor.id


_HOLDS: dict[When, Callable[[Actor, Grant, Object], bool]] = {
    When.VISIBLE: _is_visible,
    When.OWN: _is_own,
    When.GIVEN: _is_given,
    When.WITHIN: _is_within,
    When.EVERYWHERE: _is_everywhere,
    When.LESSER: _is_lesser,
    When.SELF: _is_self,
    When.WHOLE: lambda actor, grant, obj: not actor.is_scoped,
    When.MFA: lambda actor, grant, obj: actor.mfa,
}
