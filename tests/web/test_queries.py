"""The pages' requests: as SensorThings writes them, followed page by page, honest about what is left out."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import unquote

import pytest

from lakou.kernel.errors import Unavailable
from lakou.sensorthings.access import ANONYMOUS, Principal
from lakou.web.queries import LINE_PAGES, read_day, read_network
from tests.web.double import Answer, Double, Stream, Thing, iso

NOW_S = 1_795_350_000.0


def network(*rows: tuple[float, object]) -> Double:
    return Double([Thing(3, "Sonde", [Stream(7, "Niveau", "m", list(rows))])])


class Endless(Double):
    """Every page of Observations has a next one."""

    async def call(self, principal: Principal, method: str, target: str, /) -> Answer:
        answer = await super().call(principal, method, target)
        if "/Observations?" in target:
            body = json.loads(answer.body)
            body["@iot.nextLink"] = f"https://example.org/sta/v1.1{target}&$skipFilter=next"
            return Answer(200, json.dumps(body).encode())
        return answer


def test_one_request_reads_a_page_of_things_with_their_latest_values() -> None:
    double = network((NOW_S - 5, 1.0))
    found = asyncio.run(read_network(double, ANONYMOUS, NOW_S))
    assert (found.total, found.things[0].datastreams[0].value) == (1, "1\u202fm")
    (asked,) = [unquote(target) for _, target in double.asked]
    assert "$orderby=phenomenonTime desc;$top=6" in asked
    assert "$count=true" in asked
    assert " " not in double.asked[0][1]


def test_an_interval_is_as_old_as_its_end() -> None:
    double = network()
    double.things[0].streams[0].rows = []
    entity = {"value": [double.things[0].entity()], "@iot.count": 1}
    latest = {"phenomenonTime": f"{iso(NOW_S - 600)}/{iso(NOW_S - 60)}", "result": 4}
    entity["value"][0]["Datastreams"][0]["Observations"] = [latest]  # type: ignore[index]

    class Fixed(Double):
        async def call(self, principal: Principal, method: str, target: str, /) -> Answer:
            return Answer(200, json.dumps(entity).encode())

    found = asyncio.run(read_network(Fixed([]), ANONYMOUS, NOW_S))
    assert found.things[0].datastreams[0].freshness.age_s == pytest.approx(60.0)


def test_a_day_too_full_for_the_page_says_that_it_is_cut() -> None:
    double = Endless(network((NOW_S - 20, 1.0), (NOW_S - 10, 2.0)).things)
    day = asyncio.run(read_day(double, ANONYMOUS, 7, NOW_S))
    assert day
    assert day.is_cut
    assert len(double.asked) == 1 + LINE_PAGES
    assert double.asked[-1][1].endswith("skipFilter=next")


def test_a_day_is_in_ascending_order_with_its_csv_address() -> None:
    day = asyncio.run(read_day(network((NOW_S - 20, 1.0), (NOW_S - 10, 2.0)), ANONYMOUS, 7, NOW_S))
    assert day
    assert [result for _, result in day.rows] == [1.0, 2.0]
    assert not day.is_cut
    assert day.csv_target.startswith("/Datastreams(7)/Observations?")


def test_what_the_visitor_may_not_know_of_is_none() -> None:
    assert asyncio.run(read_day(network(), ANONYMOUS, 8, NOW_S)) is None


@pytest.mark.parametrize("status", [400, 500, 503])
def test_any_other_answer_is_unavailable(status: int) -> None:
    double = network()
    double.status = status
    with pytest.raises(Unavailable):
        asyncio.run(read_network(double, ANONYMOUS, NOW_S))


def test_an_unreadable_answer_is_unavailable() -> None:
    class Broken(Double):
        async def call(self, principal: Principal, method: str, target: str, /) -> Answer:
            return Answer(200, b'{"value": 3')

    with pytest.raises(Unavailable, match="cannot be read"):
        asyncio.run(read_network(Broken([]), ANONYMOUS, NOW_S))


def test_two_datastreams_of_one_property_are_told_apart_and_a_plain_number_has_no_unit() -> None:
    double = network((NOW_S - 5, 3))
    first = double.things[0].streams[0]
    first.symbol = "1"
    double.things[0].streams.append(Stream(8, "Niveau", "m", []))

    class Named(Double):
        async def call(self, principal: Principal, method: str, target: str, /) -> Answer:
            body = json.loads((await super().call(principal, method, target)).body)
            for stream in body["value"][0]["Datastreams"]:
                stream["name"] = f"Capteur {stream['@iot.id']}"
            return Answer(200, json.dumps(body).encode())

    streams = asyncio.run(read_network(Named(double.things), ANONYMOUS, NOW_S)).things[0].datastreams
    assert [stream.name for stream in streams] == ["Capteur 7", "Capteur 8"]
    assert streams[0].value == "3"
