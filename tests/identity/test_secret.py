"""The text of a token."""

import re

import pytest

from lakou.identity import secret


def test_a_token_has_its_number_and_43_characters_of_base_62() -> None:
    assert re.fullmatch(r"lk_7_[0-9A-Za-z]{43}", secret.make(7))


def test_two_tokens_of_one_number_differ() -> None:
    assert secret.make(1) != secret.make(1)


def test_the_number_is_read_back() -> None:
    assert secret.number_of(secret.make(4321)) == 4321


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lk_",
        "lk_1_",
        "lk_0_" + "a" * 43,
        "lk_1_" + "a" * 42,
        "lk_1_" + "a" * 44,
        "LK_1_" + "a" * 43,
        "lk_1_" + "é" * 43,
        "lk_١_" + "a" * 43,
        "lk_1_" + "a" * 43 + "\n",
        "lk_" + "9" * 30 + "_" + "a" * 43,
    ],
)
def test_another_text_is_no_token(text: str) -> None:
    assert secret.number_of(text) is None
