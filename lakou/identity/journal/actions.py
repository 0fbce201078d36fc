"""The one way into the journal: `record`, inside the transaction of the act it tells of.

Both stand or fall together. The row of the head is locked until the commit, so rows have one order and no gap: call
it last in a transaction, so that nobody waits for long.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from django.db import transaction

from lakou.identity.journal import chain
from lakou.identity.journal.acts import ACTS
from lakou.identity.journal.models import EPOCH, JournalHead, JournalRow
from lakou.identity.policy.actor import Actor

Outcome = Literal["success", "failure"]
Detail = Mapping[str, str | int | float | bool | list[str] | list[int] | None]
# Characters that could make one row look like two wherever it is shown, and those no database or UTF-8 takes.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOTHING: Detail = {}


@transaction.atomic
def record(
    *,
    act: str,
    actor: Actor,
    subject: str = "",
    organisation: int | None = None,
    outcome: Outcome = "success",
    detail: Detail = _NOTHING,
    address: str | None = None,
    now: datetime | None = None,
) -> JournalRow:
    """Append a row; `subject` says what the act was about, `address` from where. Raises LookupError for an unknown act.

    Nothing secret belongs here: a row cannot be taken back.
    """
    if act not in ACTS:
        raise LookupError(f"the journal knows no act {act!r}")
    head = JournalHead.objects.select_for_update().get(pk=1)
    at = now or datetime.now(UTC)
    row = JournalRow(
        seq=head.count + 1,
        at_us=(at - EPOCH) // timedelta(microseconds=1),
        act=act,
        outcome=outcome,
        actor_kind=str(actor.kind),
        actor_id=actor.id,
        actor_name=clean(actor.name, 160),
        organisation=organisation or 0,
        subject=clean(subject, 200),
        address=clean(address or "", 45),
        # Escaped by JSON itself, so that any text can stand in it.
        detail=json.dumps(dict(detail), ensure_ascii=True, sort_keys=True, separators=(",", ":")),
    )
    row.hash = chain.hash_of(head.hash, [getattr(row, name) for name in chain.COLUMNS])
    row.save(force_insert=True)
    JournalHead.objects.filter(pk=1).update(count=row.seq, hash=row.hash)
    return row


def clean(text: str, size: int) -> str:
    """The text on one line, at most `size` characters: what could forge a second row is shown as U+FFFD."""
    return _UNSAFE.sub("�", text)[:size]
