"""The texts that are printed and typed again."""

import math

import pytest

from lakou.identity import handed_over


def test_a_code_has_more_than_128_random_bits_and_no_letter_twice_meant() -> None:
    assert handed_over.CODE_LENGTH * math.log2(len(handed_over.ALPHABET)) >= 128
    assert not set("ILOU") & set(handed_over.ALPHABET)
    assert len({handed_over.make_code() for _ in range(100)}) == 100


def test_a_code_typed_with_other_dashes_case_and_look_alikes_is_the_same() -> None:
    printed = "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV"
    typed = " o i23 4567–89ab cdef_ghjk mnpq rstv\u202f"
    assert handed_over.read_code(typed) == handed_over.read_code(printed) == printed.replace("-", "")


@pytest.mark.parametrize("text", ["", "0123", "U" * 28, "0" * 29, "é" * 28, "\ud800" * 28, "٣" * 28])
def test_what_cannot_be_a_code_is_none(text: str) -> None:
    assert handed_over.read_code(text) is None
