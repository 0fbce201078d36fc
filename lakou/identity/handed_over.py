"""Texts that are handed to people: the address of an invitation and the codes of a break-glass sheet.

A printed code has 28 letters and digits (140 random bits) in groups of four, from Crockford's base 32: no I, L, O or U,
and who types O for 0 or l for 1 is understood.
"""

from __future__ import annotations

import hashlib
import secrets

CODES_ON_A_SHEET = 10
CODE_LENGTH = 28
GROUP = 4
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


def make_invitation() -> str:
    """The secret part of an invitation's address, 256 random bits."""
    return secrets.token_urlsafe(32)


def make_code() -> str:
    """A code as it is printed: XXXX-XXXX-XXXX-XXXX-XXXX-XXXX-XXXX."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    return "-".join(letters[at : at + GROUP] for at in range(0, CODE_LENGTH, GROUP))


def read_code(text: str) -> str | None:
    """The letters of a code as somebody typed it; None when it cannot be a code."""
    letters = "".join(part for part in text.upper().translate(_READ_AS) if part.isalnum())
    return letters if len(letters) == CODE_LENGTH and set(letters) <= set(ALPHABET) else None


def digest(text: str) -> str:
    """SHA-256 of an invitation's secret or of a code's letters, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
