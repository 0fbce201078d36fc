"""Reading the journal, and finding out whether it is what was written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.db.models import Max, Q, QuerySet

from lakou.identity.journal import chain
from lakou.identity.journal.chain import Flaw, Head
from lakou.identity.journal.models import EPOCH, JournalHead, JournalRow
from lakou.kernel.errors import BadRequest

CHUNK = 2_000


def head() -> Head:
    """How many rows there are and the hash of the last. Note it elsewhere: the chain cannot vouch for itself."""
    found = JournalHead.objects.get(pk=1)
    return Head(found.count, found.hash)


def parse_head(text: str) -> Head:
    """A head as `str(head())` wrote it. Raises BadRequest."""
    count, _, digest = text.strip().partition(":")
    if not (count.isascii() and count.isdigit() and len(count) < 19 and len(digest) == 64):
        raise BadRequest("This is no head of a journal", place="head", hint="as lakou audit head prints it: 120:9f86d…")
    return Head(int(count), digest.lower())


def rows(*, since: datetime | None = None, act: str = "", below: int | None = None) -> QuerySet[JournalRow]:
    """Rows by number; from an instant on, of one act, or below a number."""
    found = JournalRow.objects.all()
    if since is not None:
        found = found.filter(at_us__gte=(since - EPOCH) // timedelta(microseconds=1))
    if act:
        found = found.filter(act=act)
    if below is not None:
        found = found.filter(seq__lt=below)
    return found


def rows_about(person: int) -> QuerySet[JournalRow]:
    """Rows of what the person of this number did, and of what was done to them."""
    return JournalRow.objects.filter(Q(actor_kind="person", actor_id=person) | Q(subject=f"person:{person}"))


def verify(known: Sequence[Head] = ()) -> tuple[Head, Flaw | None]:
    """The head, and the first flaw of the journal up to it. Others may append meanwhile.

    Finds any row changed, removed, added, moved or cut off. Who rewrites every row *and* the head leaves a sound chain:
    only `known`, heads noted elsewhere, tell of that.
    """
    try:
        # The highest row before the head: whoever appends moves both at once, so a row beyond the head was put there.
        highest = JournalRow.objects.aggregate(highest=Max("seq"))["highest"]
        heads = list(JournalHead.objects.values_list("count", "hash"))
        if len(heads) != 1 or type(heads[0][0]) is not int:
            return Head(0, chain.START), Flaw(0, "the head is missing or doubled")
        now = Head(*heads[0])
        if highest is not None and (type(highest) is not int or highest > now.rows):
            return now, Flaw(now.rows + 1, "stands beyond the head")
        found = JournalRow.objects.filter(seq__lte=now.rows).order_by("seq").values_list(*chain.COLUMNS, "hash")
        return now, chain.first_flaw(found.iterator(CHUNK), now, known)
    except DatabaseError as error:
        # SQLite keeps any bytes in a text; Python refuses those that are no text.
        if "UTF-8" not in str(error):
            raise
        return Head(0, chain.START), Flaw(0, "bytes that are no text were put into a row")
