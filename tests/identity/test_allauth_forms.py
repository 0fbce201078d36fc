"""Answers of keys that are none, as a stranger may send them."""

from __future__ import annotations

import json

import pytest

from tests.identity.conftest import Visitor, make_person, target

pytestmark = pytest.mark.usefixtures("pages")

LOGIN = "/compte/second-facteur/cles/connexion/"
WHOLE = {
    "id": "AAAA",
    "rawId": "AAAA",
    "type": "public-key",
    "response": {"clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA", "userHandle": "MQ"},
}


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "{",
        "[]",
        "1",
        '{"id": 1}',
        '{"id": "a", "rawId": "a", "response": []}',
        json.dumps(WHOLE),
        json.dumps({**WHOLE, "response": {**WHOLE["response"], "userHandle": "\ud800"}}),  # type: ignore[dict-item]
        json.dumps({**WHOLE, "rawId": None}),
    ],
)
def test_what_is_no_answer_of_a_key_is_refused_without_harm(visitor: Visitor, credential: str) -> None:
    make_person()
    assert visitor.get(LOGIN, HTTP_ACCEPT="application/json").json()["request_options"]
    assert target(visitor.post(LOGIN, {"credential": credential})) == "/compte/connexion/"
    assert not visitor.is_in()
