"""The one place where it is decided who may do what on the pages of identity: a table of roles and actions.

Deny by default (trust R8). The administrators of the host organisation may act in every organisation.
"""

from __future__ import annotations

from lakou.identity import queries
from lakou.identity.models import Organisation, Person, PersonRole

ADMINISTRATOR = frozenset({PersonRole.ADMINISTRATOR})
ON_DUTY = frozenset({PersonRole.DUTY_OFFICER, PersonRole.APPROVER, PersonRole.ADMINISTRATOR})

# action → the roles that may do it in the organisation that it is about.
ALLOWED: dict[str, frozenset[PersonRole]] = {
    "people.see": ADMINISTRATOR,
    "people.invite": ADMINISTRATOR,
    "roles.change": ADMINISTRATOR,
    "people.reset": ADMINISTRATOR,
    "organisations.see": ADMINISTRATOR,
    "organisations.change": ADMINISTRATOR,
    "break_glass.print": ON_DUTY,
}
# What may be done somewhere by whoever holds such a role in any organisation, for the entrance of a page.
ANYWHERE = frozenset({"people.see", "organisations.see", "break_glass.print"})
# Holding one of these means a second factor (`second_factor.py`).
NEEDS_SECOND_FACTOR = frozenset({PersonRole.APPROVER, PersonRole.ADMINISTRATOR})


def may(person: Person, action: str, organisation: Organisation | None = None) -> bool:
    """Whether this person may do this action now, in this organisation; without one, on the site as a whole.

    An action that is not in the table is nobody's.
    """
    roles = ALLOWED.get(action, frozenset())
    for grant in queries.active_grants(person):
        if grant.role not in roles:
            continue
        if grant.organisation.is_host or (organisation is not None and grant.organisation_id == organisation.pk):
            return True
        if organisation is None and action in ANYWHERE:
            return True
    return False


def may_on_person(person: Person, action: str, other: Person) -> bool:
    """Whether this person may do an action that opens another's account.

    It takes the right in every organisation where the other holds a role: an administrator of one must not get into
    another one through a member of both. Of somebody without any role, only the host's administrators dispose.
    """
    organisations = {grant.organisation_id: grant.organisation for grant in queries.active_grants(other)}
    if not organisations:
        return may(person, action)
    return all(may(person, action, organisation) for organisation in organisations.values())
