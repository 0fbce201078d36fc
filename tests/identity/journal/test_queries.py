"""The journal is what was written, or the place is found where it is not; on both databases."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from lakou.identity.journal import actions, chain, queries
from lakou.identity.journal.acts import ACTS
from lakou.identity.journal.chain import COLUMNS, Head
from lakou.identity.journal.models import JournalHead, JournalRow
from lakou.identity.policy.actor import Actor, ActorKind
from lakou.kernel.errors import BadRequest

pytestmark = pytest.mark.usefixtures("any_civic")

ROWS, HEAD = "identity_journalrow", "identity_journalhead"
TRIGGERS = {
    ROWS: ("journal_no_update", "journal_no_delete", "journal_in_order", "journal_no_change", "journal_no_truncate"),
    HEAD: ("journal_head_grows", "journal_head_stays", "journal_head_no_truncate"),
}
ANNE = Actor(kind=ActorKind.PERSON, id=7, name="Anne Élise")


def run(statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []


def write(count: int) -> None:
    random = Random(count)
    with transaction.atomic():
        for number in range(count):
            actions.record(
                act=random.choice(list(ACTS)),
                actor=ANNE,
                subject=f"objet {number} « é »",
                outcome=random.choice(("success", "failure")),
                organisation=random.choice((None, 3)),
                detail={"n": number, "why": "because\n\x00"},
                address="192.0.2.7",
            )


class _Undo(Exception):
    pass


@contextlib.contextmanager
def tampering() -> Iterator[None]:
    """A transaction in which the triggers are away, undone at its end: each tampering finds a sound journal."""
    with contextlib.suppress(_Undo), transaction.atomic():
        for table, names in TRIGGERS.items():
            for name in names:
                run(f"DROP TRIGGER IF EXISTS {name}" + (f" ON {table}" if connection.vendor == "postgresql" else ""))
        if connection.vendor == "postgresql":
            run(f"ALTER TABLE {ROWS} DROP CONSTRAINT {ROWS}_pkey")
        yield
        raise _Undo


# ── what is written ──


def test_rows_are_numbered_without_a_gap_and_the_head_follows() -> None:
    before = queries.head()
    write(3)
    head = queries.head()
    assert head.rows == before.rows + 3
    assert [row.seq for row in queries.rows(below=head.rows + 1)][-3:] == [head.rows - 2, head.rows - 1, head.rows]
    assert queries.verify([before, head]) == (head, None)


def test_a_row_stands_or_falls_with_the_transaction_of_its_act() -> None:
    before = queries.head()
    with contextlib.suppress(_Undo), transaction.atomic():
        write(2)
        raise _Undo
    assert queries.head() == before
    assert queries.verify() == (before, None)


def test_an_unknown_act_is_refused() -> None:
    with pytest.raises(LookupError):
        actions.record(act="token.steal", actor=ANNE)


def test_a_text_cannot_look_like_a_second_row() -> None:
    row = actions.record(act="login", actor=Actor(name="a\nb\u2028c\ud800"), subject="\x00" * 300)
    assert (row.actor_name, len(row.subject)) == ("a�b�c�", 200)
    assert queries.verify()[1] is None


# ── the database refuses ──

REFUSED = [
    f"UPDATE {ROWS} SET subject = 'x' WHERE seq = 1",
    f"UPDATE {ROWS} SET seq = seq + 1000000",
    f"DELETE FROM {ROWS} WHERE seq = 1",
    f"DELETE FROM {ROWS}",
    (
        f"INSERT INTO {ROWS} SELECT 99999999, at_us, act, outcome, actor_kind, actor_id, actor_name, organisation,"
        f" subject, address, detail, hash FROM {ROWS} WHERE seq = 1"
    ),
    f"UPDATE {HEAD} SET count = count - 1",
    f"UPDATE {HEAD} SET hash = '{'0' * 64}'",
    f"DELETE FROM {HEAD}",
    f"INSERT INTO {HEAD} (id, count, hash) VALUES (2, 0, 'x')",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_the_database_refuses_what_is_no_appending(statement: str) -> None:
    write(1)
    with pytest.raises(DatabaseError), transaction.atomic():
        run(statement)
    assert queries.verify()[1] is None


@pytest.mark.parametrize("table", [ROWS, HEAD])
def test_neither_table_can_be_emptied(any_civic: str, table: str) -> None:
    write(1)
    with pytest.raises(DatabaseError), transaction.atomic():
        run(f"TRUNCATE {table}" if any_civic == "postgres" else f"DELETE FROM {table}")


# ── what was tampered with is found ──

TAMPERINGS = 1_000
SIZE = 40


def tamper(random: Random, count: int) -> str:
    """Change the journal once, in one of eleven ways; says how."""
    at, other = random.sample(range(1, count + 1), 2)
    kind = random.choice(
        ("change", "change", "change", "change", "remove", "swap", "cut", "empty", "insert", "copy", "head", "forge")
    )
    if kind == "change":
        column = random.choice([*COLUMNS, "hash"])
        (value,) = run(f"SELECT {column} FROM {ROWS} WHERE seq = %s", (at,))[0]
        changed = random.choice((-at, at + count)) if column == "seq" else _another(random, value)
        run(f"UPDATE {ROWS} SET {column} = %s WHERE seq = %s", (changed, at))
        return f"change {column} of {at}"
    if kind == "remove":
        run(f"DELETE FROM {ROWS} WHERE seq = %s", (at,))
    elif kind == "swap":
        for old, new in ((at, -1), (other, at), (-1, other)):
            run(f"UPDATE {ROWS} SET seq = %s WHERE seq = %s", (new, old))
    elif kind == "cut":
        run(f"DELETE FROM {ROWS} WHERE seq >= %s", (at,))
    elif kind == "empty":
        run(f"DELETE FROM {ROWS}")
    elif kind == "insert":
        run(f"UPDATE {ROWS} SET seq = -seq WHERE seq >= %s", (at,))
        run(f"UPDATE {ROWS} SET seq = 1 - seq WHERE seq < 0")
        _copy(other if other < at else other + 1, at)
    elif kind == "copy":
        _copy(at, random.choice((count + 1, 0, -5)))
    elif kind == "head":
        change = random.choice(("count = count + 1", "count = count - 1", f"hash = '{random.randbytes(32).hex()}'"))
        run(f"UPDATE {HEAD} SET {change}" if random.random() < 0.8 else f"DELETE FROM {HEAD}")
    else:
        # One who knows the form: a row is changed and its hash counted anew, but those after it are left.
        row = list(run(f"SELECT {', '.join(COLUMNS)} FROM {ROWS} WHERE seq = %s", (at,))[0])
        row[COLUMNS.index("subject")] = "forged"
        before = run(f"SELECT hash FROM {ROWS} WHERE seq = %s", (at - 1,))
        digest = chain.hash_of(before[0][0] if before else chain.START, row)
        run(f"UPDATE {ROWS} SET subject = 'forged', hash = %s WHERE seq = %s", (digest, at))
    return f"{kind} {at} {other}"


def _copy(source: int, to: int) -> None:
    rest = ", ".join([*COLUMNS[1:], "hash"])
    run(f"INSERT INTO {ROWS} (seq, {rest}) SELECT %s, {rest} FROM {ROWS} WHERE seq = %s", (to, source))


def _another(random: Random, value: Any) -> Any:
    if isinstance(value, int):
        return value + random.choice((-1, 1, 1_000_000))
    if not value or (random.random() < 0.2 and len(value) < 7):
        return f"{value}{random.choice('x é')}"
    place = random.randrange(len(value))
    changed = value[:place] + random.choice("xyz") + value[place + 1 :]
    return changed if changed != value else value[:place] + "w" + value[place + 1 :]


def test_a_thousand_tamperings_are_found_a_thousand_times() -> None:
    write(SIZE)
    count = queries.head().rows
    random = Random(5)
    unseen = []
    for _ in range(TAMPERINGS):
        with tampering():
            done = tamper(random, count)
            if queries.verify()[1] is None:
                unseen.append(done)
    assert unseen == []
    assert queries.verify()[1] is None


def test_bytes_that_are_no_text_are_refused_or_found(any_civic: str) -> None:
    write(1)
    with tampering():
        if any_civic == "postgres":
            with pytest.raises(DatabaseError), transaction.atomic():
                run(f"UPDATE {ROWS} SET subject = convert_from('\\xff', 'UTF8') WHERE seq = 1")
        else:
            run(f"UPDATE {ROWS} SET subject = CAST(x'ff' AS TEXT) WHERE seq = 1")
            assert queries.verify()[1] is not None


def test_a_journal_written_anew_is_found_by_a_head_that_was_noted() -> None:
    write(3)
    noted = queries.head()
    with tampering():
        before = chain.START
        for row in JournalRow.objects.order_by("seq"):
            row.subject = "another"
            row.hash = before = chain.hash_of(before, [getattr(row, name) for name in COLUMNS])
            row.save()
        JournalHead.objects.update(hash=before)
        assert queries.verify()[1] is None
        flaw = queries.verify([noted])[1]
        assert flaw is not None
        assert flaw.seq == noted.rows
        run(f"DELETE FROM {ROWS} WHERE seq > 1")
        JournalHead.objects.update(count=1, hash=JournalRow.objects.get(seq=1).hash)
        assert queries.verify()[1] is None
        assert queries.verify([noted])[1] is not None


def test_two_who_append_at_once_cause_no_false_alarm() -> None:
    before = queries.head()
    each = 40
    failed: list[BaseException] = []

    def append(name: str) -> None:
        try:
            for number in range(each):
                with transaction.atomic():
                    actions.record(act="login", actor=Actor(name=name), subject=str(number))
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=append, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    alarms = []
    while any(thread.is_alive() for thread in threads):
        alarms += [flaw for flaw in [queries.verify()[1]] if flaw is not None]
    for thread in threads:
        thread.join()
    assert (failed, alarms) == ([], [])
    assert queries.verify([before]) == (Head(before.rows + 2 * each, queries.head().hash), None)


@pytest.mark.parametrize("text", ["", "1", "1:abc", "x:" + "0" * 64, "-1:" + "0" * 64])
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        queries.parse_head(text)
