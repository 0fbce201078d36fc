"""What is done with data stands in the journal of the running product: who, on what, from where; once, and no flood."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import DATABASES
from tests.harness import make
from tests.harness.client import ID, Api, ref
from tests.harness.mqtt import Wire
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running
from tests.identity.test_on_the_product import lakou

Event = dict[str, Any]


class Journal:
    """The journal of a server, as `lakou audit export` gives it, from now on."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._since = datetime.now(UTC).isoformat()

    def events(self) -> list[Event]:
        """The acts of data since then, oldest first, as ECS has them."""
        printed = lakou(self._server, (["audit", "export", "--since", self._since], ""), (["audit", "verify"], ""))
        lines = printed.splitlines()
        assert any(line.startswith("The journal is whole") for line in lines)
        return [json.loads(line) for line in lines if line.startswith("{")]

    def wait_for(self, enough: Callable[[list[Event]], bool]) -> list[Event]:
        """The same once it holds `enough`; the product carries acts within a second."""
        for _ in range(5):
            found = self.events()
            if enough(found):
                return found
            time.sleep(0.5)
        raise AssertionError([(one["event"]["action"], one["lakou"]) for one in found])


def of(events: list[Event], act: str, name: str = "") -> list[Event]:
    """Those of an act, by this actor if one is named."""
    return [one for one in events if one["event"]["action"] == act and name in ("", one["user"]["name"])]


@pytest.fixture(scope="module")
def device(server: Server) -> Iterator[tuple[str, Api]]:
    """A device: the name of its token, and its caller."""
    name = make.unique("limnimetre")
    caller = Api(server.base, server.make_token(name, "device"))
    yield name, caller
    caller.close()


def test_who_claims_shows_and_keeps_otherwise_is_told_and_who_measures_is_not(
    server: Server, api: Api, device: tuple[str, Api]
) -> None:
    journal, (name, gauge) = Journal(server), device
    hidden = make.datastream(**{"@lakou.visibility": "restricted"})
    thing = gauge.create("Things", make.thing(Datastreams=[make.datastream(), hidden]))
    one, two = sorted(item[ID] for item in gauge.items(f"Things({thing[ID]})/Datastreams"))
    assert gauge.patch(f"Things({thing[ID]})", {"@lakou.visibility": "restricted"}).status_code == 200
    shown, kept = {"@lakou.visibility": "public"}, {"@lakou.retention": {"raw": "P730D"}}
    changes = [
        {"id": "1", "atomicityGroup": "a", "method": "patch", "url": f"Things({thing[ID]})", "body": shown},
        {"id": "2", "atomicityGroup": "a", "method": "patch", "url": f"Datastreams({one})", "body": kept},
    ]
    assert [part["status"] for part in api.post("$batch", {"requests": changes}).json()["responses"]] == [200, 200]
    rows = [[f"2026-01-01T00:00:{n:02}Z", n] for n in range(60)]
    series = {"Datastream": ref({ID: one}), "components": ["phenomenonTime", "result"], "dataArray": rows}
    assert gauge.post("CreateObservations", [series]).status_code == 201
    with Wire(server.mqtt_port) as wire:
        wire.connect(name, gauge.http.headers["Authorization"].removeprefix("Bearer "))
        wire.publish(f"v1.1/Datastreams({one})/Observations", b'{"result": 1}')
    assert gauge.delete(f"Datastreams({two})").status_code == 200

    events = journal.wait_for(lambda found: bool(of(found, "data.deleted", name)))
    opened, closed = of(events, "device.claimed", name)
    assert (opened["user"]["roles"], opened["source"]["ip"]) == (["token"], "127.0.0.1")
    assert opened["lakou"]["subject"] == f"Things({thing[ID]}), Datastreams({one})"
    assert closed["lakou"]["subject"] == f"Datastreams({two})"
    assert closed["lakou"]["detail"]["visibility"].startswith("restricted:")
    changed = [(one["user"]["name"], one["lakou"]["detail"]) for one in of(events, "visibility.changed")]
    assert [(who, how["before"].partition(":")[0], how["after"].partition(":")[0]) for who, how in changed] == [
        (name, "public", "restricted"),
        (server.token_name, "restricted", "public"),
    ]
    (keeping,) = of(events, "retention.changed")
    assert keeping["lakou"]["subject"] == f"Datastreams({one})"
    assert keeping["lakou"]["detail"]["after"] == "raw 730 d"
    assert of(events, "data.deleted", name)[0]["lakou"]["subject"] == f"Datastreams({two})"
    assert len([one for one in events if one["user"]["name"] == name]) == 4


def test_refusals_and_files_are_one_row_each_however_many(server: Server, api: Api, device: tuple[str, Api]) -> None:
    journal, (name, gauge) = Journal(server), device
    other = api.create("Things", make.thing())
    forged = Api(server.base, f"lk_1_{'a' * 43}")
    for _ in range(40):
        assert forged.get("Things").status_code == 401
        assert gauge.patch(f"Things({other[ID]})", {"name": "mine"}).status_code == 403
        assert gauge.get("Things", resultFormat="CSV", select="name").status_code == 200
    assert forged.http.get(f"{server.origin}/metrics").status_code == 401
    assert forged.http.get(f"{server.origin}/lieux/").status_code == 401
    forged.close()
    anonymous = Api(server.base)
    assert anonymous.post("Things", make.thing()).status_code == 401
    assert anonymous.get("Things", resultFormat="CSV", select="name").status_code == 200
    anonymous.close()
    with Wire(server.mqtt_port) as wire:
        assert wire.connect(name, f"lk_1_{'a' * 43}").reason != 0
    lakou(server, (["place", "export", "--kind", "mediation"], ""))

    def parts(found: list[Event]) -> list[str]:
        return sorted(one["lakou"]["subject"] for one in of(found, "access.refused", "anonymous"))

    events = journal.wait_for(lambda found: set(parts(found)) >= {"metrics", "mqtt", "pages", "sensorthings"})
    assert len(of(events, "access.refused")) <= 10
    assert all(one["event"]["outcome"] == "failure" for one in of(events, "access.refused"))
    first = next(one for one in of(events, "access.refused", "anonymous") if one["lakou"]["subject"] == "sensorthings")
    assert first["lakou"]["detail"]["tokens"] == [1]
    assert of(events, "access.refused", name)[0]["lakou"]["detail"]["why"] == "forbidden"
    files = of(events, "data.exported", name)
    assert 1 <= len(files) <= 3
    assert (files[0]["lakou"]["detail"]["form"], files[0]["lakou"]["subject"]) == ("CSV", "sensorthings")
    assert [one["lakou"]["subject"] for one in of(events, "data.exported") if one not in files] == ["places mediation"]


@pytest.mark.slow
@pytest.mark.parametrize("database", DATABASES)
def test_an_act_outlives_a_kill_and_is_there_once(database: str) -> None:
    """The process is killed right after the answer, before anything could be carried."""
    with running(database, POSTGRES_URL) as server:
        journal, caller = Journal(server), Api(server.base, server.token)
        thing = caller.create("Things", make.thing())
        assert caller.patch(f"Things({thing[ID]})", {"@lakou.visibility": "restricted"}).status_code == 200
        server.kill()
        caller.close()
        assert of(journal.events(), "visibility.changed") == []
        server.start()
        server.stop()
        events = journal.events()
        assert len(of(events, "visibility.changed")) == len(of(events, "device.claimed")) == 1
