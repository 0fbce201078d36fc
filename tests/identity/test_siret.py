"""Which fourteen digits can be a SIRET."""

import pytest

from lakou.identity import siret


@pytest.mark.parametrize("number", ["73282932000074", "35600000000048", "21972209000015"])
def test_a_number_with_its_check_digit_is_valid(number: str) -> None:
    assert siret.is_valid(number) == siret.luhn(number)


def test_one_wrong_digit_is_found() -> None:
    assert siret.is_valid("73282932000074")
    assert not any(siret.is_valid("7328293200007" + digit) for digit in "012356789")


def test_la_poste_counts_its_digits_by_five() -> None:
    number = "35600000000001"  # 3 + 5 + 6 + 1 = 15, which Luhn refuses
    assert not siret.luhn(number)
    assert siret.is_valid(number)
    assert not siret.is_valid("35600000000002")


@pytest.mark.parametrize("text", ["", "7328293200007", "732829320000740", "7328293200007x", "٧٣٢٨٢٩٣٢٠٠٠٠٧٤"])
def test_what_is_not_fourteen_digits_is_none(text: str) -> None:
    assert not siret.is_valid(text)


def test_spaces_in_which_people_write_it_do_not_count() -> None:
    assert siret.compact(" 732 829 320\u202f00074\u00a0") == "73282932000074"
