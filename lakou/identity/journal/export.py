"""Journal rows for others' tools: Elastic Common Schema as JSON lines, and syslog messages. Pure.

Sources: ECS 8.11 with the order of fields of the ECS logging specification; RFC 5424 §6 (one message a line, so line
ends inside a value are written as escapes). Structured data stands under 32473, the number that RFC 5612 keeps for
examples, for Lakou has none of its own.
"""

from __future__ import annotations

import ipaddress
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from lakou.identity.journal.acts import ACTS, severity

FACILITY_AUDIT = 13
SD_ID = "lakou@32473"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_NAME = re.compile(r"[^\x21-\x7e]")


class Row(Protocol):
    """What is exported of a journal row (`models.JournalRow`)."""

    seq: int
    at_us: int
    act: str
    outcome: str
    actor_kind: str
    actor_id: int
    actor_name: str
    organisation: int
    subject: str
    address: str
    detail: str
    hash: str


def ecs(row: Row) -> str:
    """One JSON object on one line, without the line's end."""
    known = ACTS.get(row.act)
    level = severity(row.act, row.outcome)
    event: dict[str, Any] = {
        "kind": "event",
        "category": [known.category if known else "process"],
        "type": [known.type if known else "info"],
        "action": row.act,
        "outcome": row.outcome,
        "severity": level,
        "sequence": row.seq,
        "hash": row.hash,
        "module": "lakou",
        "dataset": "lakou.journal",
        "timezone": "+00:00",
    }
    line: dict[str, Any] = {
        "@timestamp": instant(row.at_us),
        "log.level": _LEVELS[level],
        "message": sentence(row),
        "ecs": {"version": "8.11.0"},
        "event": event,
        "service": {"name": "lakou", "type": "lakou"},
        "user": {"id": f"{row.actor_kind}:{row.actor_id}", "name": row.actor_name, "roles": [row.actor_kind]},
        "lakou": {"subject": row.subject, "detail": _detail(row.detail)},
    }
    if row.organisation:
        line["organization"] = {"id": str(row.organisation)}
    if row.address:
        line["source"] = {"address": row.address} | ({"ip": row.address} if _is_address(row.address) else {})
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).translate(_LINE_ENDS)


def syslog(row: Row, host: str = "-") -> str:
    """One message of RFC 5424, without the line's end; `host` is the name of this machine, "-" when not known."""
    priority = FACILITY_AUDIT * 8 + severity(row.act, row.outcome)
    name = _NOT_NAME.sub("?", row.act)[:32] or "-"
    pairs = [
        ("seq", str(row.seq)), ("hash", row.hash), ("outcome", row.outcome),
        ("actorKind", row.actor_kind), ("actorId", str(row.actor_id)), ("actor", row.actor_name),
        ("subject", row.subject), ("organisation", str(row.organisation or "")), ("address", row.address),
        ("detail", "" if row.detail == "{}" else row.detail),
    ]  # fmt: skip
    data = "".join(f' {key}="{parameter(value)}"' for key, value in pairs if value)
    place = _NOT_NAME.sub("?", host)[:255] or "-"
    # The byte order mark says that the message is UTF-8 (§6.4).
    return f"<{priority}>1 {instant(row.at_us)} {place} lakou - {name} [{SD_ID}{data}] \ufeff{_shown(sentence(row))}"


def parameter(value: str) -> str:
    """A PARAM-VALUE: `"`, `\\` and `]` behind a backslash (§6.3.3); what would end the line is written as \\uXXXX."""
    return _shown(re.sub(r'(["\\\]])', r"\\\1", value))


def sentence(row: Row) -> str:
    """The act in words, as the page shows it."""
    known = ACTS.get(row.act)
    words = known.words if known else row.act
    failed = " (échec)" if row.outcome == "failure" else ""
    return f"{words}{failed} : {row.subject or '—'}, par {row.actor_name}"


def instant(at_us: int) -> str:
    """RFC 3339 in UTC with microseconds."""
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_LINE_ENDS = {0x2028: "\\u2028", 0x2029: "\\u2029", 0x85: "\\u0085"}


def _shown(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _detail(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"text": text}


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
