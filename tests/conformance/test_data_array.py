"""Data arrays: reading them, CreateObservations, and bulk lines (18-088 §13; bulk lines are ours)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import COUNT, ID, NEXT, Api, Entity, describe, key, key_of, ref, refused

NAMES = {"@iot.id", "id", "phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters"}


@pytest.fixture(scope="module")
def two(api: Api) -> tuple[str, list[Entity]]:
    """The key of a Thing with two Datastreams of four Observations each; and the Datastreams."""
    thing = api.create("Things", make.station(Datastreams=[make.datastream(), make.datastream()]))
    streams = api.value(f"Things({key(thing)})/Datastreams")
    for number, stream in enumerate(streams):
        for hour in range(4):
            api.create(
                f"Datastreams({key(stream)})/Observations",
                make.observation(
                    number * 10 + hour, phenomenonTime=f"2024-01-01T0{hour}:00:00Z", parameters={"h": hour}
                ),
            )
    return key(thing), streams


@requirement("data-array/data-array")
def test_groups_by_datastream(anon: Api, two: tuple[str, list[Entity]]) -> None:
    """Consecutive Observations of one Datastream may be one group; all must be there once."""
    page = anon.read("Observations", filter=f"Datastream/Thing/id eq {two[0]}", resultFormat="dataArray", top=100)
    found: dict[str, list[Any]] = {}
    for group in page["value"]:
        assert set(group["components"]) <= NAMES
        assert group["dataArray@iot.count"] == len(group["dataArray"])
        assert all(len(row) == len(group["components"]) for row in group["dataArray"])
        link = group["Datastream@iot.navigationLink"]
        column = group["components"].index("result")
        found.setdefault(link, []).extend(row[column] for row in group["dataArray"])
    expected = {
        f"{anon.base}/Datastreams({key(stream)})": [number * 10 + hour for hour in range(4)]
        for number, stream in enumerate(two[1])
    }
    assert {link: sorted(values) for link, values in found.items()} == expected


@requirement("data-array/data-array")
@pytest.mark.parametrize(
    ("select", "first"),
    [
        ("result,phenomenonTime", [0, "2024-01-01T00:00:00Z"]),
        ("phenomenonTime,result", ["2024-01-01T00:00:00Z", 0]),
        ("result", [0]),
        ("parameters,result", [{"h": 0}, 0]),
        ("result,resultTime", [0, None]),
    ],
)
def test_select_gives_the_components_in_its_order(
    anon: Api, two: tuple[str, list[Entity]], select: str, first: list[Any]
) -> None:
    page = anon.read(f"Datastreams({key(two[1][0])})/Observations", select=select, resultFormat="dataArray")
    (group,) = page["value"]
    assert group["components"] == select.split(",")
    row = [value.replace(".000Z", "Z") if isinstance(value, str) else value for value in group["dataArray"][0]]
    assert row == first


@requirement("data-array/data-array")
@pytest.mark.parametrize("name", ["id", "@iot.id"])
def test_the_key_can_be_a_component(anon: Api, two: tuple[str, list[Entity]], name: str) -> None:
    path = f"Datastreams({key(two[1][0])})/Observations"
    (group,) = anon.read(path, select=f"{name},result", resultFormat="dataArray")["value"]
    assert [row[0] for row in group["dataArray"]] == anon.ids(path)


@requirement("data-array/data-array", "request-data/pagination")
@pytest.mark.parametrize("top", [1, 3])
def test_count_and_next_link(anon: Api, two: tuple[str, list[Entity]], top: int) -> None:
    path = f"Datastreams({key(two[1][1])})/Observations"
    pages = anon.pages(path, resultFormat="dataArray", count=True, top=top, select="result", orderby="result desc")
    assert all(page[COUNT] == 4 for page in pages)
    assert all("resultFormat" in page[NEXT] for page in pages[:-1])
    assert [row[0] for page in pages for group in page["value"] for row in group["dataArray"]] == [13, 12, 11, 10]


@requirement("data-array/data-array")
def test_an_empty_list_has_no_groups(anon: Api, two: tuple[str, list[Entity]]) -> None:
    page = anon.read(f"Datastreams({key(two[1][0])})/Observations", filter="result gt 1000", resultFormat="dataArray")
    assert page["value"] == []


@requirement("data-array/data-array", "request-data/query-status-code")
@pytest.mark.parametrize(("path", "form"), [("Things", "dataArray"), ("Observations", "nothing"), ("Observations", "")])
def test_format_that_cannot_be_given_is_refused(anon: Api, path: str, form: str) -> None:
    refused(anon.get(path, resultFormat=form, top=1), 400, 406, 501)


def _station(api: Api, size: int = 2) -> list[Entity]:
    made = api.create("Things", make.station(Datastreams=[make.datastream() for _ in range(size)]))
    return api.value(f"Things({key(made)})/Datastreams")


@requirement("data-array/data-array")
def test_creation_answers_with_the_self_links_in_order(api: Api) -> None:
    one, two = _station(api)
    response = api.post(
        "CreateObservations",
        [
            {
                "Datastream": ref(one),
                "components": ["phenomenonTime", "result"],
                "dataArray@iot.count": 2,
                "dataArray": [["2010-12-23T10:20:00-07:00", 20], ["2010-12-23T10:21:00-0700", 30]],
            },
            {
                "Datastream": ref(two),
                "components": ["result", "phenomenonTime"],
                "dataArray": [[65, "2010-12-23T10:20:00Z"]],
            },
        ],
    )
    assert response.status_code == 201, describe(response)
    links = response.json()
    assert [api.read(link)["result"] for link in links] == [20, 30, 65]
    assert [api.read(f"{link}/Datastream")[ID] for link in links] == [one[ID], one[ID], two[ID]]
    assert api.read(links[1])["phenomenonTime"].startswith("2010-12-23T17:21:00")


@requirement("data-array/data-array")
def test_a_bad_row_says_error_in_its_place(api: Api) -> None:
    """18-088 §13.3: the others are created."""
    one, two = _station(api)
    feature = api.create("FeaturesOfInterest", make.feature())
    response = api.post(
        "CreateObservations",
        [
            {
                "Datastream": ref(one),
                "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
                "dataArray": [
                    ["2010-12-23T10:20:00Z", 20, feature[ID]],
                    ["2010-12-23T10:21:00Z", 30, "probablyNotAnId"],
                ],
            },
            {
                "Datastream": ref(two),
                "components": ["phenomenonTime", "result"],
                "dataArray": [["2010-12-23T10:20:00Z", 65], ["2010-12-23T10:21:00Z", 60]],
            },
        ],
    )
    assert response.status_code == 201, describe(response)
    lines = response.json()
    assert [line.lower().startswith("error") for line in lines] == [False, True, False, False]
    assert api.results(f"Datastreams({key(one)})/Observations") == [20]
    assert api.read(f"{lines[0]}/FeatureOfInterest")[ID] == feature[ID]
    shared = {api.read(f"{line}/FeatureOfInterest")[ID] for line in lines[2:]}
    assert len(shared) == 1


BAD_ROWS: list[Any] = [
    ["x", 1],
    [5, 1],
    ["2024-01-01T00:00:00Z"],
    [],
    ["2024-01-01T00:00:00Z", 1, 2],
    [None, 1],
    "row",
    {"result": 1},
    None,
]


@requirement("data-array/data-array")
@pytest.mark.parametrize("row", BAD_ROWS, ids=lambda row: str(row)[:40])
def test_each_kind_of_bad_row(api: Api, row: Any) -> None:
    """A time of null may mean now."""
    stream = _station(api, 1)[0]
    response = api.post(
        "CreateObservations",
        [
            {
                "Datastream": ref(stream),
                "components": ["phenomenonTime", "result"],
                "dataArray": [["2023-01-01T00:00:00Z", 1], row, ["2023-01-03T00:00:00Z", 3]],
            }
        ],
    )
    if response.status_code == 400:
        refused(response, 400)
        assert api.value(f"Datastreams({key(stream)})/Observations") == []
        return
    lines = response.json()
    assert len(lines) == 3
    if row != [None, 1]:
        assert lines[1].lower().startswith("error"), lines
        assert api.results(f"Datastreams({key(stream)})/Observations") == [1, 3]


@requirement("data-array/data-array")
@pytest.mark.parametrize(
    "change",
    [
        {"Datastream": {ID: 987654321987}},
        {"components": ["phenomenonTime", "nothing"]},
        {"components": "result"},
        {"components": ["result", "result"]},
        {"dataArray": "x"},
        {"dataArray": make.OMIT},
        {"components": make.OMIT},
        {"Datastream": make.OMIT},
        {"Datastream": 5},
        {"components": []},
        {"Datastream": {ID: "x"}},
    ],
    ids=lambda case: str(case)[:50],
)
def test_a_group_that_makes_no_sense(api: Api, change: Entity) -> None:
    """Refused as a whole, or an error in each of its places."""
    stream = _station(api, 1)[0]
    group = {
        "Datastream": ref(stream),
        "components": ["phenomenonTime", "result"],
        "dataArray": [["2023-01-01T00:00:00Z", 1]],
        **change,
    }
    group = {name: value for name, value in group.items() if value is not make.OMIT}
    response = api.post("CreateObservations", [group])
    assert api.value(f"Datastreams({key(stream)})/Observations") == []
    if response.status_code == 201:
        assert all(line.lower().startswith("error") for line in response.json())
    else:
        refused(response, 400, 404, 409)


@requirement("data-array/data-array")
@pytest.mark.parametrize("body", ["{}", "5", "null", '"x"', "[5]", "[[]]", "[", ""])
def test_body_that_is_no_data_array_is_refused(api: Api, body: str) -> None:
    refused(api.post("CreateObservations", content=body), 400)


@requirement("data-array/data-array")
def test_nothing_to_create(api: Api) -> None:
    response = api.post("CreateObservations", [])
    assert response.status_code in (201, 400)
    stream = _station(api, 1)[0]
    response = api.post("CreateObservations", [{"Datastream": ref(stream), "components": ["result"], "dataArray": []}])
    assert response.status_code == 201
    assert response.json() == []


@requirement("data-array/data-array")
def test_all_components(api: Api) -> None:
    stream = _station(api, 1)[0]
    components = ["phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters"]
    row = [
        "2024-01-01T00:00:00Z/2024-01-01T01:00:00Z",
        {"a": [1]},
        "2024-01-01T02:00:00Z",
        "good",
        "2024-01-01T00:00:00Z/2024-02-01T00:00:00Z",
        {"p": 1},
    ]
    (link,) = api.post(
        "CreateObservations", [{"Datastream": ref(stream), "components": components, "dataArray": [row]}]
    ).json()
    made = api.read(link)
    assert [_plain(made[name]) for name in components] == row


def _plain(value: Any) -> Any:
    return value.replace(".000Z", "Z") if isinstance(value, str) else value


@requirement("data-array/data-array", "multi-datastream/constraints")
def test_creation_for_a_multi_datastream(api: Api) -> None:
    thing = api.create("Things", make.thing(Locations=[make.location()], MultiDatastreams=[make.multi_datastream(2)]))
    multi = api.value(f"Things({key(thing)})/MultiDatastreams")[0]
    response = api.post(
        "CreateObservations",
        [
            {
                "MultiDatastream": ref(multi),
                "components": ["phenomenonTime", "result"],
                "dataArray": [
                    ["2010-12-23T10:20:00Z", [5, 20]],
                    ["2010-12-23T10:21:00Z", 30],
                    ["2010-12-23T10:22:00Z", [6, 21]],
                ],
            }
        ],
    )
    assert response.status_code == 201, describe(response)
    assert [line.lower().startswith("error") for line in response.json()] == [False, True, False]
    path = f"MultiDatastreams({key(multi)})/Observations"
    assert api.results(path) == [[5, 20], [6, 21]]
    (group,) = api.read(path, resultFormat="dataArray", select="result")["value"]
    assert group["MultiDatastream@iot.navigationLink"] == f"{api.base}/MultiDatastreams({key(multi)})"
    assert group["dataArray"] == [[[5, 20]], [[6, 21]]]


@requirement("data-array/data-array", "lakou/replay")
def test_an_array_sent_twice_creates_once(api: Api) -> None:
    stream = _station(api, 1)[0]
    body = [
        {
            "Datastream": ref(stream),
            "components": ["phenomenonTime", "result"],
            "dataArray": [[f"2024-01-01T00:{minute:02}:00Z", minute] for minute in range(50)],
        }
    ]
    first, second = api.post("CreateObservations", body), api.post("CreateObservations", body)
    assert first.json() == second.json()
    assert api.read(f"Datastreams({key(stream)})/Observations", count=True, top=0)[COUNT] == 50


@requirement("data-array/data-array")
def test_ten_thousand_rows(api: Api) -> None:
    stream = _station(api, 1)[0]
    rows = [[f"2024-01-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z", n] for n in range(10_000)]
    response = api.post(
        "CreateObservations",
        [{"Datastream": ref(stream), "components": ["phenomenonTime", "result"], "dataArray": rows}],
    )
    assert response.status_code == 201, describe(response)
    assert len(set(response.json())) == 10_000
    path = f"Datastreams({key(stream)})/Observations"
    assert api.read(path, count=True, top=0)[COUNT] == 10_000
    assert api.results(path, filter="result ge 9998") == [9998, 9999]


@requirement("lakou/bulk-ndjson")
@pytest.mark.parametrize("media", ["application/x-ndjson", "application/ndjson"])
def test_lines_of_observations_are_created(api: Api, media: str) -> None:
    """One Observation a line, posted where Observations are created."""
    stream = _station(api, 1)[0]
    lines = "\n".join(
        json.dumps({"phenomenonTime": f"2024-01-01T00:{n:02}:00Z", "result": n, "Datastream": ref(stream)})
        for n in range(20)
    )
    response = api.post("Observations", content=lines + "\n", headers={"Content-Type": media})
    assert response.status_code in (200, 201), describe(response)
    assert sorted(api.results(f"Datastreams({key(stream)})/Observations")) == list(range(20))


@requirement("lakou/bulk-ndjson")
def test_a_bad_line_is_named_and_never_a_failure_of_the_server(api: Api) -> None:
    stream = _station(api, 1)[0]
    lines = [
        json.dumps({"phenomenonTime": "2024-01-01T00:00:00Z", "result": 1, "Datastream": ref(stream)}),
        "{broken",
        json.dumps({"phenomenonTime": "2024-01-01T01:00:00Z", "result": 2, "Datastream": ref(stream)}),
    ]
    response = api.post("Observations", content="\n".join(lines), headers={"Content-Type": "application/x-ndjson"})
    assert response.status_code in (200, 201, 207, 400), describe(response)
    assert "2" in response.text or "1" in response.text


@requirement("data-array/data-array")
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_create_observations_is_only_posted_to(api: Api, method: str) -> None:
    assert api.request(method, "CreateObservations").status_code in (404, 405)


@requirement("data-array/data-array")
def test_links_lead_to_the_key(api: Api) -> None:
    stream = _station(api, 1)[0]
    (link,) = api.post(
        "CreateObservations", [{"Datastream": ref(stream), "components": ["result"], "dataArray": [[1]]}]
    ).json()
    assert link == f"{api.base}/Observations({key_of(link)})"
