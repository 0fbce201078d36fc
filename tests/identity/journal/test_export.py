"""Journal rows as ECS and as syslog: exact bytes, and nothing that could end a line or forge a field."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.identity.journal import export
from lakou.identity.journal.acts import ACTS, severity


@dataclass
class Row:
    seq: int = 3
    at_us: int = 1_764_000_000_000_001
    act: str = "token.created"
    outcome: str = "success"
    actor_kind: str = "person"
    actor_id: int = 7
    actor_name: str = "Anne"
    organisation: int = 2
    subject: str = 'jauge "12" [aval] \\'
    address: str = "192.0.2.7"
    detail: str = '{"role":"device"}'
    hash: str = "ab" * 32


def test_a_syslog_message_has_the_form_of_rfc_5424() -> None:
    assert export.syslog(Row(), "lamentin") == (
        "<109>1 2025-11-24T16:00:00.000001Z lamentin lakou - token.created "
        f'[lakou@32473 seq="3" hash="{"ab" * 32}" outcome="success" actorKind="person" actorId="7" actor="Anne" '
        'subject="jauge \\"12\\" [aval\\] \\\\" organisation="2" address="192.0.2.7" '
        'detail="{\\"role\\":\\"device\\"}"] '
        '\ufeffCréation d’un jeton : jauge "12" [aval] \\, par Anne'
    )


def test_an_ecs_line_has_the_fields_of_its_act() -> None:
    line = json.loads(export.ecs(replace(Row(), outcome="failure")))
    assert list(line)[:3] == ["@timestamp", "log.level", "message"]
    assert line["@timestamp"] == "2025-11-24T16:00:00.000001Z"
    assert line["log.level"] == "warning"
    assert {key: line["event"][key] for key in ("category", "type", "action", "outcome", "sequence")} == {
        "category": ["iam"], "type": ["creation"], "action": "token.created", "outcome": "failure", "sequence": 3,
    }  # fmt: skip
    assert line["user"]["name"] == "Anne"
    assert line["organization"] == {"id": "2"}
    assert line["source"] == {"address": "192.0.2.7", "ip": "192.0.2.7"}
    assert line["lakou"] == {"subject": Row().subject, "detail": {"role": "device"}}


def test_an_address_that_is_none_stands_in_no_ip_field() -> None:
    assert json.loads(export.ecs(replace(Row(), address="console")))["source"] == {"address": "console"}


_texts = st.text(max_size=30)
_PARAMETER = re.compile(r'(\w+)="((?:[^"\\\]]|\\.)*)"')


@settings(max_examples=60, deadline=None)
@given(_texts, _texts, _texts)
def test_no_text_breaks_out_of_its_place(name: str, subject: str, detail: str) -> None:
    row = replace(Row(), actor_name=name, subject=subject, detail=detail, act=subject or "x")
    for line in (export.ecs(row), export.syslog(row)):
        assert len(line.splitlines()) == 1
    assert json.loads(export.ecs(row))["lakou"]["subject"] == subject
    data = export.syslog(row).partition(" [lakou@32473")[2]
    found = dict(_PARAMETER.findall(data))
    assert found["hash"] == row.hash
    read = re.sub(r'\\(["\\\]])', r"\1", found.get("actor", ""))
    assert read == export._shown(name)


def test_every_act_has_words_and_a_level() -> None:
    for name, act in ACTS.items():
        assert re.fullmatch(r"[a-z._]{1,32}", name)
        assert act.words
        assert severity(name, "failure") <= 4
        assert 0 <= severity(name, "success") <= 6
