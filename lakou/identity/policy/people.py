"""What the policy is asked about people: an account opens only for who may do so in all organisations of its person.

Else an administrator of one commune could get into another's desk through a member of both.
"""

from __future__ import annotations

from lakou.identity import queries
from lakou.identity.models import Organisation, Person
from lakou.identity.policy.actor import Actor
from lakou.identity.policy.deciding import Object, may
from lakou.identity.policy.rules import Action, Kind


def role_in(organisation: Organisation | None, territory: str = "") -> Object:
    """A role to give or to end, on a territory or on all that is the organisation's."""
    where = None if organisation is None else organisation.pk
    return Object(Kind.ROLE, where, frozenset({territory} if territory else ()))


def may_open_account(actor: Actor, other: Person, action: Action = Action.CHANGE) -> bool:
    """Whether this actor may take away a second factor, set a password or close the account of another (`CHANGE`),
    hand out what is held about them (`EXPORT`) or erase it (`DELETE`).

    Of somebody without any role, only who administers everything disposes. Never of oneself: that is what one's own
    account is for.
    """
    if other.pk == actor.id:
        return False
    organisations: set[int | None] = {grant.organisation_id for grant in queries.active_grants(other)}
    return all(may(actor, action, Object(Kind.PERSON, one)) for one in organisations or {None})
