"""Who may do what: one table (`rules.py`) and one function (`may`) for every access of the product.

Pure: `policy.requests` finds the actor of a request of Django, and needs it loaded.
"""

from lakou.identity.policy.actor import ANONYMOUS, Actor, ActorKind, Grant, Role, system
from lakou.identity.policy.deciding import Object, may, may_somewhere, owner_of_person, principal_of, require
from lakou.identity.policy.rules import RULES, Action, Kind, Rule, When

__all__ = [
    "ANONYMOUS",
    "RULES",
    "Action",
    "Actor",
    "ActorKind",
    "Grant",
    "Kind",
    "Object",
    "Role",
    "Rule",
    "When",
    "may",
    "may_somewhere",
    "owner_of_person",
    "principal_of",
    "require",
    "system",
]
