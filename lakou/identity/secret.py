"""The text of a token: `lk_<number>_<43 characters of base 62>` (256 random bits, trust R7).

Random tokens need no slow hash: what is stored is the SHA-256 of the whole text.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string

ALPHABET = string.digits + string.ascii_letters
SECRET_LENGTH = 43
_FORM = re.compile(rf"lk_([1-9][0-9]{{0,17}})_[0-9A-Za-z]{{{SECRET_LENGTH}}}", re.ASCII)


def make(number: int) -> str:
    """A new token text for the token of this number."""
    return f"lk_{number}_" + "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))


def number_of(text: str) -> int | None:
    """The number in a token text, or None when the text has not the form of a token."""
    match = _FORM.fullmatch(text)
    return int(match[1]) if match else None


def digest(text: str) -> str:
    """SHA-256 of the token text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()
