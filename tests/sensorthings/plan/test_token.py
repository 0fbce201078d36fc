"""Skip tokens: what was encoded comes back, and nothing else is taken."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.plan import token
from lakou.sensorthings.plan.values import Const, Order, Type

NUMBER, TEXT, TIME = (Order(Const(k, None), False, True) for k in (Type.NUMBER, Type.TEXT, Type.INSTANT))
ID = Order(Const(Type.NUMBER, None), False, False)


def raw(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@settings(max_examples=100, deadline=None)
@given(
    number=st.none() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(-1e15, 1e15),
    text=st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    id_=st.integers(1, 2**62),
)
def test_values_come_back(number: Any, text: Any, id_: int) -> None:
    found = token.encode((number, text, id_))
    assert found.replace("-", "").replace("_", "").isalnum()
    assert token.decode(found, (NUMBER, TEXT, ID)) == (number, text, id_)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", (ID,)),
        ("!", (ID,)),
        ("a", (ID,)),
        ("é", (ID,)),
        (raw("x"), (ID,)),
        (raw("{}"), (ID,)),
        (raw("[1,2]"), (ID,)),
        (raw("[]"), (ID,)),
        (raw("[null]"), (ID,)),
        (raw('["a"]'), (ID,)),
        (raw("[[1]]"), (ID,)),
        (raw("[9223372036854775808]"), (ID,)),
        (raw("[1e30]"), (ID,)),
        (raw("[1]"), (TEXT,)),
        (raw("[1.5]"), (TIME,)),
        (raw('["a\\u0000"]'), (TEXT,)),
    ],
)
def test_a_foreign_token_is_refused(text: str, order: tuple[Order, ...]) -> None:
    with pytest.raises(BadRequest) as caught:
        token.decode(text, order)
    assert caught.value.error_code == "skip_token"


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=30) | st.binary(max_size=20).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert len(token.decode(text, (NUMBER, ID))) == 2
    except BadRequest:
        return
