"""What anybody can cause without end: few rows, nothing uncounted, little remembered."""

from __future__ import annotations

from lakou.identity.journal.gathering import FORGOTTEN_S, LONGEST_S, MOST_KINDS, MOST_NAMED, Gathering
from lakou.identity.policy import ANONYMOUS, Actor, ActorKind

REFUSED = "access.refused"
GAUGE = Actor(ActorKind.TOKEN, 7, "gauge")


def test_a_flood_of_a_day_is_few_rows_that_count_it_all() -> None:
    gathering, rows = Gathering(), []
    for second in range(0, 86_400, 5):
        gathering.gather(REFUSED, ANONYMOUS, why="unauthorized", part="sensorthings", now=second)
        if gathering.is_due(second):
            rows += gathering.take(now=second)
    assert (rows[0].attempts, rows[1].attempts) == (1, 2)
    assert len(rows) < 160
    rows += gathering.take(last=True, now=86_400)
    assert sum(row.attempts for row in rows) == 86_400 / 5


def test_kinds_are_apart_by_who_why_and_where() -> None:
    gathering = Gathering()
    for actor, why, part in (
        (ANONYMOUS, "a", "mqtt"),
        (GAUGE, "a", "mqtt"),
        (GAUGE, "b", "mqtt"),
        (GAUGE, "b", "live"),
    ):
        gathering.gather(REFUSED, actor, why=why, part=part)
    assert len(gathering.take()) == 4
    assert not gathering.is_due()
    assert gathering.take() == []


def test_who_paces_attempts_is_told_of_less_and_less_often_until_an_hour_of_quiet() -> None:
    gathering, now = Gathering(), 0.0
    for _ in range(20):
        gathering.gather(REFUSED, GAUGE, why="forbidden", part="pages", now=now)
        assert gathering.take(now=now)
        kind = next(iter(gathering._kinds.values()))
        now = kind.due_at
    assert kind.every_s == LONGEST_S
    gathering.take(now=now + FORGOTTEN_S)
    assert gathering._kinds == {}


def test_what_is_remembered_stays_small_and_what_is_too_much_is_counted_together() -> None:
    gathering = Gathering()
    for number in range(MOST_KINDS + 50):
        gathering.gather(REFUSED, Actor(ActorKind.TOKEN, number + 1, "t"), why="forbidden", part="sensorthings")
    for number in range(50):
        gathering.gather(REFUSED, ANONYMOUS, why="u", part="mqtt", address=f"192.0.2.{number}", token=number + 1)
    rows = gathering.take()
    assert len(rows) <= MOST_KINDS + 1
    assert sum(row.attempts for row in rows) == MOST_KINDS + 100
    assert max(len(row.addresses) for row in rows) == max(len(row.tokens) for row in rows) == MOST_NAMED


def test_what_could_not_be_written_down_counts_again() -> None:
    gathering = Gathering()
    for number in range(3):
        gathering.gather(REFUSED, GAUGE, why="forbidden", part="pages", address=f"192.0.2.{number}")
    taken = gathering.take()
    gathering.gather(REFUSED, GAUGE, why="forbidden", part="pages", size=5)
    gathering.give_back(taken)
    (again,) = gathering.take()
    assert (again.attempts, again.size, len(again.addresses)) == (4, 5, 3)
