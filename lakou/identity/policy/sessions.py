"""The person of a session as an actor: who they are here, what they read, and whose devices count as theirs.

A role in the organisation that runs the site holds in all of them. What is restricted has no territory, so that only
roles on the whole of an organisation open it; unknown means no.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from lakou.identity import queries, second_factor
from lakou.identity.models import Person, PersonRole, RoleGrant
from lakou.identity.policy.actor import Actor, ActorKind, Grant, Role
from lakou.identity.scopes import PUBLIC

OWNERS = frozenset({PersonRole.DEVICE_OWNER, PersonRole.DATA_STEWARD})


def person_of_request(request: HttpRequest) -> Actor | None:
    """Who is signed in; None without a session's cookie, and then no table is read."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    person = getattr(request, "user", None)
    if not isinstance(person, Person):
        return None
    return actor_of(person, mfa=second_factor.is_strong(request, person))


def actor_of(person: Person, *, mfa: bool) -> Actor:
    """A person with the roles that hold now.

    They read what is public, and what their organisations and the tokens of these have restricted; a mere inhabitant
    what is public. Of device owners and data stewards, the tokens of their organisations count as their own.
    """
    held = list(queries.active_grants(person))
    inside = [grant for grant in held if grant.role != PersonRole.CITIZEN and not grant.territory]
    owning = [grant for grant in inside if grant.role in OWNERS]
    scopes = {grant.organisation.scope_id for grant in inside}
    return Actor(
        kind=ActorKind.PERSON,
        id=person.pk,
        # Neither a name nor an address: it stands in the journal, where nothing can be taken back.
        name=f"person:{person.pk}",
        grants=frozenset(map(_grant, held)),
        mfa=mfa,
        reads=frozenset({PUBLIC, *scopes, *_of_tokens(inside, "home_id")}),
        home=min(scopes, default=PUBLIC),
        owners=frozenset(_of_tokens(owning, "pk")),
    )


def _grant(held: RoleGrant) -> Grant:
    where = None if held.organisation.is_host else held.organisation_id
    return Grant(Role(held.role), where, held.territory or None)


def _of_tokens(grants: list[RoleGrant], column: str) -> list[int]:
    """A column of the tokens of the organisations of these grants."""
    if not grants:
        return []
    return list(queries.tokens_of([grant.organisation for grant in grants]).values_list(column, flat=True))
