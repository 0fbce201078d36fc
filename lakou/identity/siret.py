"""Is a SIRET well formed? Fourteen digits: the SIREN of the company or body, then the number of the establishment.

The last digit is a check digit (Luhn), with one exception: La Poste (SIREN 356000000) has more establishments than the
key allows, so for them the sum of the digits is a multiple of 5. Whether the SIRET exists is not known here: that
would need an outside service.
"""

from __future__ import annotations

LA_POSTE = "356000000"
LENGTH = 14


def compact(text: str) -> str:
    """The number without the spaces in which people write it, narrow and no-break ones too."""
    return "".join(text.split())


def is_valid(siret: str) -> bool:
    """True for fourteen ASCII digits whose check digit fits."""
    if len(siret) != LENGTH or not (siret.isascii() and siret.isdigit()):
        return False
    return luhn(siret) or (siret.startswith(LA_POSTE) and sum(map(int, siret)) % 5 == 0)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: every second digit from the right counts double, and the sum ends in 0."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
