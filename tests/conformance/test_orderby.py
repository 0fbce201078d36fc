"""$orderby: several keys, nulls, links, free properties and expressions (18-088 §9.3.3.1)."""

from __future__ import annotations

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, key, ref, refused

pytestmark = pytest.mark.requirement("request-data/orderby")


@pytest.fixture(scope="module")
def shelf(api: Api) -> str:
    """The path of six Things named a to f, of one Location, with gaps and repetitions in their free properties."""
    place = api.create("Locations", make.location())
    rows = [("a", 3, "x"), ("b", 1, "y"), ("c", None, "x"), ("d", 2, None), ("e", 1, "x"), ("f", None, None)]
    for name, rank, group in rows:
        properties = {word: value for word, value in (("rank", rank), ("group", group)) if value is not None}
        thing = api.create(
            "Things", make.thing(name=name, description=group or "z", properties=properties, Locations=[ref(place)])
        )
        if rank is not None:
            api.create(
                f"Things({key(thing)})/Datastreams",
                make.datastream(
                    name=f"s{rank}{name}",
                    Sensor=make.sensor(name=f"sensor {9 - rank}{name}"),
                    properties={"rank": rank},
                ),
            )
    return f"Locations({key(place)})/Things"


def _order(api: Api, path: str, orderby: str) -> str:
    return "".join(api.names(path, orderby=orderby, select="name"))


@requirement("request-data/orderby")
@pytest.mark.parametrize(
    ("orderby", "expected"),
    [
        ("name", "abcdef"),
        ("name asc", "abcdef"),
        ("name desc", "fedcba"),
        ("name ASC", "abcdef"),
        ("name DESC", "fedcba"),
        ("id", "abcdef"),
        ("@iot.id desc", "fedcba"),
        ("id desc", "fedcba"),
        ("description,name", "acebdf"),
        ("description,name desc", "ecabfd"),
        ("description desc,name", "dfbace"),
        ("description desc,name desc", "fdbeca"),
        ("name,description", "abcdef"),
        ("description", "acebdf"),
        ("description desc,id", "dfbace"),
    ],
)
def test_order_by_properties(anon: Api, shelf: str, orderby: str, expected: str) -> None:
    """The order of ties after a descending key is open. The public Python client writes directions in capitals."""
    assert _order(anon, shelf, orderby) == expected


@requirement("request-data/orderby")
@pytest.mark.parametrize(
    ("orderby", "expected"),
    [
        ("properties/rank,name", "cfbeda"),
        ("properties/rank desc,name", "adbecf"),
        ("properties/rank desc,name desc", "adebfc"),
        ("properties/group,name", "dfaceb"),
        ("properties/group desc,name", "bacedf"),
        ("properties/group,properties/rank,name", "fdceab"),
        ("properties/rank", "cfbeda"),
        ("properties/absent,name desc", "fedcba"),
    ],
)
def test_nulls_come_first_ascending_and_last_descending(anon: Api, shelf: str, orderby: str, expected: str) -> None:
    """18-088 §9.3.3.1; the default of PostgreSQL is the reverse."""
    assert _order(anon, shelf, orderby) == expected


@requirement("request-data/orderby", "request-data/pagination")
@pytest.mark.parametrize("top", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("orderby", "expected"),
    [
        ("name desc", "fedcba"),
        ("properties/rank,name", "cfbeda"),
        ("properties/rank desc,name", "adbecf"),
        ("properties/group desc,properties/rank desc,name", "baecdf"),
        ("properties/group", "dfaceb"),
        ("description desc,id", "dfbace"),
        ("length(description),name desc", "fedcba"),
    ],
)
def test_pages_keep_the_order_and_miss_nothing(anon: Api, shelf: str, orderby: str, expected: str, top: int) -> None:
    found = anon.items(shelf, orderby=orderby, top=top, select="name")
    assert "".join(item["name"] for item in found) == expected


@pytest.fixture(scope="module")
def streams(api: Api, shelf: str) -> str:
    """The path of Datastreams of one Sensor over Things of different names."""
    sensor = api.create("Sensors", make.sensor())
    for word in ("m", "k", "n", "l"):
        thing = api.create("Things", make.thing(name=word, Locations=[make.location()], properties={"rank": ord(word)}))
        stream = api.create("Datastreams", make.datastream(name=f"of {word}", Thing=ref(thing), Sensor=ref(sensor)))
        if word != "n":
            api.create(
                f"Datastreams({key(stream)})/Observations",
                make.observation(ord(word), phenomenonTime=f"20{ord(word) - 90}-01-01T00:00:00Z"),
            )
    return f"Sensors({key(sensor)})/Datastreams"


@requirement("request-data/orderby")
@pytest.mark.parametrize(
    ("orderby", "expected"),
    [
        ("Thing/name", ["of k", "of l", "of m", "of n"]),
        ("Thing/name desc", ["of n", "of m", "of l", "of k"]),
        ("Thing/properties/rank desc", ["of n", "of m", "of l", "of k"]),
        ("Thing/id", ["of m", "of k", "of n", "of l"]),
        ("Thing/@iot.id desc", ["of l", "of n", "of k", "of m"]),
        ("phenomenonTime,name", ["of n", "of k", "of l", "of m"]),
        ("phenomenonTime desc,name", ["of m", "of l", "of k", "of n"]),
        ("unitOfMeasurement/symbol,name desc", ["of n", "of m", "of l", "of k"]),
    ],
)
def test_order_through_a_link(anon: Api, streams: str, orderby: str, expected: list[str]) -> None:
    assert anon.names(streams, orderby=orderby) == expected


@requirement("request-data/orderby", "request-data/pagination")
@pytest.mark.parametrize(
    "orderby",
    ["Thing/name", "Thing/name desc", "phenomenonTime", "phenomenonTime desc", "Thing/properties/rank desc,name"],
)
@pytest.mark.parametrize("top", [1, 3])
def test_pages_ordered_through_a_link(anon: Api, streams: str, orderby: str, top: int) -> None:
    whole = anon.names(streams, orderby=orderby)
    assert [item["name"] for item in anon.items(streams, orderby=orderby, top=top)] == whole


@pytest.fixture(scope="module")
def mixed(api: Api) -> str:
    """The path of Observations posted out of order, some at the same instant."""
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    for hour, result in [(3, 30), (1, 11), (2, 20), (1, 10), (0, 5), (1, 12)]:
        api.create(
            f"Datastreams({key(stream)})/Observations",
            make.observation(
                result,
                phenomenonTime=f"2024-01-01T0{hour}:00:00Z",
                resultTime=f"2024-01-01T0{9 - hour}:00:00Z" if hour != 2 else None,
            ),
        )
    return f"Datastreams({key(stream)})/Observations"


@requirement("request-data/orderby")
@pytest.mark.parametrize(
    ("orderby", "expected"),
    [
        ("phenomenonTime", [5, 11, 10, 12, 20, 30]),
        ("phenomenonTime desc,id", [30, 20, 11, 10, 12, 5]),
        ("phenomenonTime,result", [5, 10, 11, 12, 20, 30]),
        ("phenomenonTime desc,result desc", [30, 20, 12, 11, 10, 5]),
        ("result", [5, 10, 11, 12, 20, 30]),
        ("result desc", [30, 20, 12, 11, 10, 5]),
        ("resultTime,result", [20, 30, 10, 11, 12, 5]),
        ("resultTime desc,result desc", [5, 12, 11, 10, 30, 20]),
        ("id", [30, 11, 20, 10, 5, 12]),
        ("result mod 10,result", [10, 20, 30, 11, 12, 5]),
        ("result mul -1", [30, 20, 12, 11, 10, 5]),
    ],
)
def test_order_of_observations(anon: Api, mixed: str, orderby: str, expected: list[int]) -> None:
    assert anon.results(mixed, orderby=orderby) == expected


@requirement("request-data/orderby")
def test_observations_come_by_time_when_nothing_is_said(anon: Api, mixed: str) -> None:
    """(phenomenonTime, key), as FROST does; also inside an expand."""
    assert anon.results(mixed) == [5, 11, 10, 12, 20, 30]
    stream = mixed.rpartition("/")[0]
    assert [item["result"] for item in anon.read(stream, expand="Observations")["Observations"]] == anon.results(mixed)


@requirement("request-data/orderby", "request-data/pagination")
@pytest.mark.parametrize(
    "orderby",
    [
        "phenomenonTime",
        "phenomenonTime desc",
        "result",
        "result desc",
        "resultTime",
        "resultTime desc",
        "phenomenonTime desc,result",
        "id desc",
        "result mod 10",
    ],
)
@pytest.mark.parametrize("top", [1, 2, 5])
def test_pages_of_observations(anon: Api, mixed: str, orderby: str, top: int) -> None:
    whole = anon.ids(mixed, orderby=orderby)
    assert [item[ID] for item in anon.items(mixed, orderby=orderby, top=top)] == whole


@requirement("request-data/orderby")
@pytest.mark.parametrize(
    "orderby",
    [
        "nothing",
        "name up",
        "name asc desc",
        ",name",
        "name,",
        ",",
        "name name",
        "Datastreams/nothing",
        "name/deeper/x",
        "asc",
        "name;desc",
        "(name",
        "name)",
        "'",
        "length(",
        "nothing(name)",
    ],
)
def test_malformed_order_is_refused(anon: Api, orderby: str) -> None:
    refused(anon.get("Things", orderby=orderby), 400, 501)
