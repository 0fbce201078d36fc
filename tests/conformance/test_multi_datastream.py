"""MultiDatastreams: tuples of results and the constraints between the parts (18-088 §12)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, Entity, key, ref, refused


@pytest.fixture(scope="module")
def parts(api: Api) -> dict[str, Entity]:
    """A Thing with a Location, a Sensor, and two ObservedProperties."""
    return {
        "Thing": api.create("Things", make.thing(Locations=[make.location()])),
        "Sensor": api.create("Sensors", make.sensor()),
        "p0": api.create("ObservedProperties", make.observed_property()),
        "p1": api.create("ObservedProperties", make.observed_property()),
    }


def _multi(api: Api, parts: dict[str, Entity], *names: str) -> Entity:
    return api.create(
        "MultiDatastreams",
        make.multi_datastream(
            len(names),
            Thing=ref(parts["Thing"]),
            Sensor=ref(parts["Sensor"]),
            ObservedProperties=[ref(parts[name]) for name in names],
        ),
    )


@requirement("multi-datastream/properties", "multi-datastream/relations")
@pytest.mark.parametrize("names", [["p0"], ["p0", "p1"], ["p1", "p0"], ["p0", "p0"], ["p1", "p0", "p1"]])
def test_observed_properties_keep_their_order_and_may_repeat(
    api: Api, parts: dict[str, Entity], names: list[str]
) -> None:
    made = _multi(api, parts, *names)
    expected = [parts[name][ID] for name in names]
    assert api.ids(f"MultiDatastreams({key(made)})/ObservedProperties") == expected
    expanded = api.read(f"MultiDatastreams({key(made)})", expand="ObservedProperties")
    assert [item[ID] for item in expanded["ObservedProperties"]] == expected


@requirement("multi-datastream/properties")
def test_properties(api: Api, parts: dict[str, Entity]) -> None:
    made = _multi(api, parts, "p0", "p1")
    assert made["observationType"] == make.COMPLEX
    assert made["multiObservationDataTypes"] == [make.MEASUREMENT] * 2
    assert made["unitOfMeasurements"] == [make.CELSIUS] * 2


@requirement("multi-datastream/properties")
def test_observation_type_is_the_complex_one_when_not_given(api: Api, parts: dict[str, Entity]) -> None:
    made = api.create("MultiDatastreams", make.multi_datastream(observationType=make.OMIT, Thing=ref(parts["Thing"])))
    assert made["observationType"] == make.COMPLEX


@requirement("multi-datastream/relations")
@pytest.mark.parametrize(
    ("owner", "set_name"), [("Thing", "Things"), ("Sensor", "Sensors"), ("p0", "ObservedProperties")]
)
def test_owners_link_to_their_multi_datastreams(api: Api, parts: dict[str, Entity], owner: str, set_name: str) -> None:
    made = _multi(api, parts, "p0", "p1")
    path = f"{set_name}({key(parts[owner])})"
    assert made[ID] in api.ids(f"{path}/MultiDatastreams", top=1000)
    assert made[ID] in [item[ID] for item in api.read(path, expand="MultiDatastreams")["MultiDatastreams"]]
    assert api.ids(f"{path}/Datastreams") == []


@requirement("multi-datastream/constraints")
@pytest.mark.parametrize("result", [[1, 2], [1.5, "text"], [None, True], [{"a": 1}, [2]]])
def test_result_is_an_array_of_the_right_length(api: Api, parts: dict[str, Entity], result: list[Any]) -> None:
    made = _multi(api, parts, "p0", "p1")
    path = f"MultiDatastreams({key(made)})/Observations"
    observation = api.create(path, make.observation(result))
    assert observation["result"] == result
    assert api.read(f"Observations({key(observation)})/result%5B0%5D" if result[0] is not None else path) is not None


@requirement("multi-datastream/constraints")
@pytest.mark.parametrize("result", [1, "text", [1], [1, 2, 3], [], None, {"0": 1, "1": 2}, True])
def test_result_that_does_not_fit_is_refused(api: Api, parts: dict[str, Entity], result: Any) -> None:
    made = _multi(api, parts, "p0", "p1")
    body = make.observation(result)
    refused(api.post(f"MultiDatastreams({key(made)})/Observations", body), 400)
    refused(api.post("Observations", {**body, "MultiDatastream": ref(made)}), 400)
    assert api.value(f"MultiDatastreams({key(made)})/Observations") == []


@requirement("multi-datastream/constraints")
def test_an_array_of_one(api: Api, parts: dict[str, Entity]) -> None:
    made = _multi(api, parts, "p0")
    assert api.create(f"MultiDatastreams({key(made)})/Observations", make.observation([4]))["result"] == [4]
    refused(api.post(f"MultiDatastreams({key(made)})/Observations", make.observation([4, 5])), 400)


MISFITS: list[Entity] = [
    {"multiObservationDataTypes": [make.MEASUREMENT]},
    {"multiObservationDataTypes": [make.MEASUREMENT] * 3},
    {"unitOfMeasurements": [make.CELSIUS]},
    {"unitOfMeasurements": []},
    {"ObservedProperties": []},
    {"ObservedProperties": [make.observed_property()]},
    {"unitOfMeasurements": make.CELSIUS},
    {"multiObservationDataTypes": "x"},
    {"unitOfMeasurements": [1, 2]},
    {"ObservedProperties": make.OMIT},
    {"Sensor": make.OMIT},
    {"multiObservationDataTypes": make.OMIT},
    {"unitOfMeasurements": make.OMIT},
    {"observationType": make.MEASUREMENT},
    {"multiObservationDataTypes": [1, 2]},
]


@requirement("multi-datastream/constraints")
@pytest.mark.parametrize(
    "changes", MISFITS, ids=[f"{next(iter(case))}-{number}" for number, case in enumerate(MISFITS)]
)
def test_parts_of_different_lengths_are_refused(api: Api, parts: dict[str, Entity], changes: Entity) -> None:
    body = make.multi_datastream(2, Thing=ref(parts["Thing"]), **changes)
    refused(api.post("MultiDatastreams", body), 400)
    assert api.value("MultiDatastreams", filter=f"name eq '{body['name']}'") == []


@requirement("multi-datastream/constraints")
def test_without_a_thing_it_is_refused(api: Api) -> None:
    refused(api.post("MultiDatastreams", make.multi_datastream(2)), 400)


@requirement("multi-datastream/relations", "multi-datastream/constraints")
def test_an_observation_belongs_to_one_or_the_other(api: Api, parts: dict[str, Entity]) -> None:
    multi = _multi(api, parts, "p0", "p1")
    single = api.create("Datastreams", make.datastream(Thing=ref(parts["Thing"])))
    of_multi = api.create(f"MultiDatastreams({key(multi)})/Observations", make.observation([1, 2]))
    of_single = api.create(f"Datastreams({key(single)})/Observations", make.observation(1))
    assert api.read(f"Observations({key(of_multi)})/MultiDatastream")[ID] == multi[ID]
    assert api.get(f"Observations({key(of_multi)})/Datastream").status_code in (204, 404)
    assert api.read(f"Observations({key(of_single)})/Datastream")[ID] == single[ID]
    assert api.get(f"Observations({key(of_single)})/MultiDatastream").status_code in (204, 404)
    refused(api.post("Observations", make.observation([1, 2], Datastream=ref(single), MultiDatastream=ref(multi))), 400)
    refused(api.patch(f"Observations({key(of_single)})", {"MultiDatastream": ref(multi)}), 400)


@requirement("multi-datastream/relations")
def test_expanding_both_from_observations(api: Api, parts: dict[str, Entity]) -> None:
    multi = _multi(api, parts, "p0", "p1")
    path = f"MultiDatastreams({key(multi)})/Observations"
    api.create(path, make.observation([1, 2]))
    item = api.value(path, expand="MultiDatastream($select=id),Datastream")[0]
    assert item["MultiDatastream"][ID] == multi[ID]
    assert item.get("Datastream") is None


@requirement("multi-datastream/constraints")
def test_an_observed_property_cannot_be_given_more_multi_datastreams(api: Api, parts: dict[str, Entity]) -> None:
    """It would have no place in the tuple."""
    multi = _multi(api, parts, "p0")
    other = api.create("ObservedProperties", make.observed_property())
    refused(api.patch(f"ObservedProperties({key(other)})", {"MultiDatastreams": [ref(multi)]}), 400)


@requirement("multi-datastream/properties")
def test_extents_follow_the_observations(api: Api, parts: dict[str, Entity]) -> None:
    multi = _multi(api, parts, "p0", "p1")
    path = f"MultiDatastreams({key(multi)})"
    for hour in (3, 1):
        api.create(
            f"{path}/Observations",
            make.observation(
                [hour, hour], phenomenonTime=f"2024-01-01T0{hour}:00:00Z", resultTime=f"2024-01-01T0{hour}:00:00Z"
            ),
        )
    found = api.read(path)
    for name in ("phenomenonTime", "resultTime"):
        assert found[name].replace(".000Z", "Z") == "2024-01-01T01:00:00Z/2024-01-01T03:00:00Z"
    assert found["observedArea"]


@requirement("multi-datastream/relations", "request-data/filter")
@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("result[0] eq 1", 1),
        ("result[1] gt 15", 2),
        ("result[0] add result[1] eq 22", 1),
        ("result[5] eq 1", 0),
        ("MultiDatastream/name eq '{name}'", 3),
        ("Datastream/id eq null", 3),
    ],
)
def test_filter_on_the_parts_of_a_result(api: Api, parts: dict[str, Entity], condition: str, count: int) -> None:
    multi = _multi(api, parts, "p0", "p1")
    path = f"MultiDatastreams({key(multi)})/Observations"
    for value in (1, 2, 3):
        api.create(path, make.observation([value, value * 10], phenomenonTime=f"2024-01-0{value}T00:00:00Z"))
    assert len(api.value(path, filter=condition.format(name=multi["name"]))) == count


@requirement("multi-datastream/relations", "create-update-delete/delete-entity")
@pytest.mark.parametrize("owner", ["Thing", "Sensor", "p1"])
def test_deleting_an_owner_deletes_it_with_its_observations(api: Api, owner: str) -> None:
    mine = {
        "Thing": api.create("Things", make.thing(Locations=[make.location()])),
        "Sensor": api.create("Sensors", make.sensor()),
        "p0": api.create("ObservedProperties", make.observed_property()),
        "p1": api.create("ObservedProperties", make.observed_property()),
    }
    gone, kept = _multi(api, mine, "p0", "p1"), _multi(api, mine, "p0")
    observation = api.create(f"MultiDatastreams({key(gone)})/Observations", make.observation([1, 2]))
    api.remove(
        f"{ {'Thing': 'Things', 'Sensor': 'Sensors', 'p1': 'ObservedProperties'}[owner] }({key(mine[owner])})".replace(
            " ", ""
        )
    )
    refused(api.get(f"MultiDatastreams({key(gone)})"), 404)
    refused(api.get(f"Observations({key(observation)})"), 404)
    assert api.get(f"MultiDatastreams({key(kept)})").status_code == (200 if owner == "p1" else 404)


@requirement("multi-datastream/properties", "create-update-delete/update-entity")
@pytest.mark.parametrize(
    "changes",
    [
        {"unitOfMeasurements": [make.CELSIUS]},
        {"multiObservationDataTypes": ["x"]},
        {"unitOfMeasurements": "x"},
        {"observationType": make.MEASUREMENT},
    ],
)
def test_patch_that_breaks_the_lengths_is_refused(api: Api, parts: dict[str, Entity], changes: Entity) -> None:
    multi = _multi(api, parts, "p0", "p1")
    refused(api.patch(f"MultiDatastreams({key(multi)})", changes), 400)
    assert api.read(f"MultiDatastreams({key(multi)})") == multi


@requirement("multi-datastream/properties", "create-update-delete/deep-insert")
def test_deep_insert_with_a_thing(api: Api) -> None:
    made = api.create(
        "Things",
        make.thing(
            Locations=[make.location()],
            MultiDatastreams=[make.multi_datastream(3, Observations=[make.observation([1, 2, 3])])],
        ),
    )
    multi = api.value(f"Things({key(made)})/MultiDatastreams")[0]
    assert api.results(f"MultiDatastreams({key(multi)})/Observations") == [[1, 2, 3]]
    assert len(api.value(f"MultiDatastreams({key(multi)})/ObservedProperties")) == 3
