"""Every write of identity: one function per verb, keyword arguments, each in one transaction.

Those on tokens stand here by name; the others in their modules, which need allauth's models.
"""

from lakou.identity.actions.tokens import NewToken, create_token, give_token, note_use, renew_token, revoke_token

__all__ = ["NewToken", "create_token", "give_token", "note_use", "renew_token", "revoke_token"]
