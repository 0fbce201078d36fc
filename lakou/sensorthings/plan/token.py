"""$skiptoken: the order values of the last row of a page, so that the next page starts right after it.

Opaque to clients: base64url of a JSON array with one value per order term. A token that does not fit the order
of its request is refused with 400.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest
from lakou.sensorthings.plan.values import Order, Type

_ALLOWED: dict[Type, tuple[type, ...]] = {
    Type.NUMBER: (int, float),
    Type.TEXT: (str,),
    Type.BOOLEAN: (bool, int),
    Type.INSTANT: (int,),
    Type.INTERVAL: (int,),
    Type.DURATION: (int,),
    Type.DATE: (int,),
    Type.TIME_OF_DAY: (int,),
}


def encode(values: tuple[Any, ...]) -> str:
    """The token of a row's order values (int, float, str, bool or None; times as microseconds)."""
    return base64.urlsafe_b64encode(jsontext.encode(list(values))).rstrip(b"=").decode("ascii")


def decode(text: str, order: tuple[Order, ...]) -> tuple[Any, ...]:
    """The values of a token, one per order term; raises BadRequest when it was not made for this order."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = jsontext.decode(raw)
    except (binascii.Error, ValueError, BadRequest):
        raise _refuse() from None
    if not isinstance(values, list) or len(values) != len(order):
        raise _refuse()
    for value, term in zip(values, order, strict=True):
        if value is None:
            if not term.nullable:
                raise _refuse()
        elif not isinstance(value, _ALLOWED.get(term.value.type, ())) or abs(_size(value)) >= 2**63:
            raise _refuse()
    return tuple(values)


def _size(value: Any) -> float:
    return value if isinstance(value, int | float) else 0


def _refuse() -> BadRequest:
    return BadRequest(
        "This $skiptoken does not belong to this request",
        place="$skiptoken",
        code="skip_token",
        hint="Follow @iot.nextLink as it is.",
    )
