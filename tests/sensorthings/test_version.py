"""ETags: the same for the same content, another for another; compared as If-Match and If-None-Match want it."""

from __future__ import annotations

import pytest

from lakou.kernel.errors import PreconditionFailed
from lakou.sensorthings import version
from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller

TAG = 'W/"abc"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('W/"abc"', True),
        ('"abc"', True),
        ("*", True),
        ('"x", W/"abc"', True),
        ('"x"', False),
        ("", False),
        ("abc", False),
    ],
)
def test_which_headers_name_a_version(header: str, expected: bool) -> None:
    assert version.matches(header, TAG) is expected


def test_a_failed_check_tells_the_current_version() -> None:
    version.check(None, TAG)
    version.check("*", TAG)
    with pytest.raises(PreconditionFailed) as caught:
        version.check('"x"', TAG)
    assert TAG in (caught.value.hint or "")


def etag(caller: Caller, target: str) -> str:
    return caller.call("GET", target).header(b"etag") or ""


def test_a_change_of_content_changes_the_version_and_nothing_else_does(caller: Caller) -> None:
    thing = caller.make("Things", bodies.station())
    target = f"Things({thing})"
    first = etag(caller, target)
    assert first.startswith('W/"')
    assert etag(caller, target) == first
    caller.call("PATCH", target, {"name": "other"})
    assert etag(caller, target) != first
    caller.call("PATCH", target, {"name": "station"})
    assert etag(caller, target) == first


def test_an_observation_does_not_change_its_datastreams_version(caller: Caller) -> None:
    caller.make("Things", bodies.station())
    before = etag(caller, "Datastreams(1)")
    caller.make("Datastreams(1)/Observations", {"result": 1})
    assert etag(caller, "Datastreams(1)") == before


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_if_match_guards_every_change(caller: Caller, method: str) -> None:
    caller.make("Things", bodies.thing())
    tag = etag(caller, "Things(1)")
    stale = caller.call(method, "Things(1)", bodies.thing("new"), headers={"if-match": '"stale"'})
    assert stale.status == 412
    assert caller.read("Things(1)")["name"] == "thing"
    assert caller.call(method, "Things(1)", bodies.thing("new"), headers={"if-match": tag}).status == 200


def test_if_none_match_saves_the_body(caller: Caller) -> None:
    caller.make("Things", bodies.thing())
    answer = caller.call("GET", "Things(1)", headers={"if-none-match": etag(caller, "Things(1)")})
    assert (answer.status, answer.body) == (304, b"")
