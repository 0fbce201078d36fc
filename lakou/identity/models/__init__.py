"""Rows of identity: tokens and scopes, people and their roles, ways in, the journal, and what processes share."""

from lakou.identity.journal.models import JournalHead, JournalRow
from lakou.identity.models.entrance import BreakGlassCode, Invitation
from lakou.identity.models.people import Organisation, OrganisationKind, Person, PersonRole, RoleGrant
from lakou.identity.models.shared import SharedEntry
from lakou.identity.models.tokens import Epoch, Role, Scope, Token, TokenGrant

__all__ = [
    "BreakGlassCode",
    "Epoch",
    "Invitation",
    "JournalHead",
    "JournalRow",
    "Organisation",
    "OrganisationKind",
    "Person",
    "PersonRole",
    "Role",
    "RoleGrant",
    "Scope",
    "SharedEntry",
    "Token",
    "TokenGrant",
]
