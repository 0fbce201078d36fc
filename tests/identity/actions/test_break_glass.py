"""The printed codes: each once, never stored, and nobody locked out by what others try."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from lakou.identity import queries
from lakou.identity.actions import break_glass
from lakou.identity.models import BreakGlassCode
from lakou.kernel.errors import Unauthorized
from tests.identity.conftest import PASSWORD, make_person

pytestmark = pytest.mark.usefixtures("people")


def enter(code: str, password: str = PASSWORD, email: str = "anne@example.org") -> Any:
    return break_glass.use_code(email=email, password=password, code=code)


def test_each_code_opens_once() -> None:
    anne = make_person()
    codes = break_glass.print_sheet(person=anne)
    assert len(set(codes)) == 10
    assert enter(codes[3].lower().replace("-", " "), email=" Anne@example.org ") == anne
    with pytest.raises(Unauthorized):
        enter(codes[3])
    assert queries.codes_left(anne).count() == 9


def test_a_new_sheet_ends_the_old_one() -> None:
    anne = make_person()
    old, new = break_glass.print_sheet(person=anne), break_glass.print_sheet(person=anne)
    with pytest.raises(Unauthorized):
        enter(old[0])
    enter(new[0])


def test_a_code_is_its_persons_only() -> None:
    codes = break_glass.print_sheet(person=make_person())
    make_person("b@example.org")
    with pytest.raises(Unauthorized):
        enter(codes[0], email="b@example.org")
    enter(codes[0])


def test_five_wrong_passwords_end_a_code_and_no_other() -> None:
    codes = break_glass.print_sheet(person=make_person())
    for _ in range(break_glass.MAX_FAILURES):
        with pytest.raises(Unauthorized):
            enter(codes[0], password="wrong")
    with pytest.raises(Unauthorized):
        enter(codes[0])
    enter(codes[1])


def test_a_hundred_guesses_by_others_lock_nobody_out() -> None:
    codes = break_glass.print_sheet(person=make_person())
    for _ in range(100):
        with pytest.raises(Unauthorized):
            enter("0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV")
    enter(codes[0])


def test_who_is_closed_stays_out() -> None:
    anne = make_person()
    codes = break_glass.print_sheet(person=anne)
    anne.is_active = False
    anne.save()
    with pytest.raises(Unauthorized):
        enter(codes[0])


def test_only_digests_are_stored() -> None:
    codes = break_glass.print_sheet(person=make_person())
    stored = repr(list(BreakGlassCode.objects.values_list()))
    assert not any(code in stored or code.replace("-", "") in stored for code in codes)


def test_use_and_refusal_are_noted_without_the_code(told: list[tuple[str, dict[str, Any]]]) -> None:
    codes = break_glass.print_sheet(person=make_person())
    with pytest.raises(Unauthorized):
        enter(codes[0], password="wrong")
    enter(codes[0])
    acts = dict(told)
    assert acts["break_glass.refused"]["outcome"] == "failure"
    assert acts["break_glass.used"]["detail"] == {"codes_left": 9}
    assert codes[0] not in repr(told)


def test_of_two_uses_at_once_one_opens() -> None:
    codes = break_glass.print_sheet(person=make_person())
    outcomes: list[bool] = []
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        try:
            enter(codes[0])
            outcomes.append(True)
        except Unauthorized:
            outcomes.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, True]
