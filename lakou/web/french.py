"""Numbers, quantities, ages and clocks as French readers write them.

Narrow no-break space (U+202F) between thousands, before units and inside `14 h 32`; comma decimals; a true minus.
`static/web/live.js` writes the same forms in the browser.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

NNBSP = "\u202f"
NBSP = "\u00a0"
MINUS = "\u2212"
UNKNOWN = "—"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# Up to so many seconds, an age counts in units of so many.
_AGES = ((60, 1, "s"), (3600, 60, "min"), (2 * 86_400, 3600, "h"))
_MONTHS = ("janv.", "févr.", "mars", "avril", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.")


def number(value: float) -> str:
    """A number with four significant digits at least as far as its whole part: `1 013`, `0,447`, `−2,5`."""
    size = abs(value)
    if size and (size < 1e-5 or size >= 1e15):
        mantissa, exponent = f"{size:.2e}".split("e")
        text = f"{_comma(mantissa)}{NNBSP}×{NNBSP}10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    else:
        places = 0 if size >= 1000 or size == 0 else 3 - math.floor(math.log10(size))
        text = _comma(f"{size:,.{places}f}")
    return (MINUS if value < 0 and text != "0" else "") + text


def _comma(text: str) -> str:
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(",", NNBSP).replace(".", ",")


def quantity(value: float, unit: str | None) -> str:
    """A number and its unit's symbol, kept on one line."""
    return f"{number(value)}{NNBSP}{unit}" if unit else number(value)


def result(value: object, unit: str | None) -> str:
    """Any Observation result as text: number, oui / non, a position, or the text itself (cut at 80 characters)."""
    match value:
        case None:
            return UNKNOWN
        case bool():
            return "oui" if value else "non"
        case int() | float():
            return quantity(value, unit)
        case {"type": "Point", "coordinates": [int() | float() as longitude, int() | float() as latitude, *_]}:
            return position(longitude, latitude)
        case str():
            return value if len(value) <= 80 else value[:79] + "…"
        case list():
            return f"{len(value)}{NBSP}valeurs"
        case _:
            return "valeur composée"


def position(longitude_deg: float, latitude_deg: float) -> str:
    """`14,6130° N, 61,0010° O`: about ten metres."""
    north = f"{abs(latitude_deg):.4f}°{NNBSP}{'N' if latitude_deg >= 0 else 'S'}"
    east = f"{abs(longitude_deg):.4f}°{NNBSP}{'E' if longitude_deg >= 0 else 'O'}"
    return f"{north}, {east}".replace(".", ",")


def age(seconds: float | None) -> str:
    """How long ago: `à l'instant`, `il y a 12 s`, `il y a 3 min`, `il y a 2 h`, `il y a 4 j`; future: `dans …`."""
    if seconds is None:
        return "aucune mesure"
    size = abs(seconds)
    if size < 3:
        return "à l'instant"
    length, unit = next(((length, unit) for limit, length, unit in _AGES if size < limit), (86_400, "j"))
    return f"{'il y a' if seconds >= 0 else 'dans'} {int(size // length)}{NNBSP}{unit}"


def clock(time_s: float, zone: ZoneInfo) -> str:
    """`14 h 32` in the territory's zone."""
    local = datetime.fromtimestamp(time_s, UTC).astimezone(zone)
    return f"{local.hour}{NNBSP}h{NNBSP}{local.minute:02d}"


def hour(time_s: float, zone: ZoneInfo) -> str:
    """`14 h` in the territory's zone."""
    return f"{datetime.fromtimestamp(time_s, UTC).astimezone(zone).hour}{NNBSP}h"


def day_clock(time_s: float, zone: ZoneInfo) -> str:
    """`22 nov. 2026, 14 h 32` in the territory's zone."""
    local = datetime.fromtimestamp(time_s, UTC).astimezone(zone)
    day = "1er" if local.day == 1 else str(local.day)
    return f"{day}{NNBSP}{_MONTHS[local.month - 1]} {local.year}, {clock(time_s, zone)}"


def count(amount: int, one: str, many: str) -> str:
    """`0 objet`, `1 objet`, `2 objets`: French counts as singular below two."""
    return f"{number(amount)}{NBSP}{many if amount >= 2 else one}"
