"""DELETE with its cascades, and filtered delete (18-088 §10.4, table 26; FilteredDelete extension)."""

from __future__ import annotations

import pytest

from tests.conformance.model import ALL_TYPES, EntityType
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, Entity, describe, key, ref, refused


@requirement("create-update-delete/delete-entity")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_deleted_entity_is_gone(api: Api, kind: EntityType) -> None:
    made = api.create(kind.set_name, kind.body())
    path = f"{kind.set_name}({key(made)})"
    response = api.delete(path)
    assert response.status_code in (200, 204), describe(response)
    refused(api.get(path), 404)
    refused(api.delete(path), 404)
    refused(api.patch(path, {kind.editable: "2020-01-01T00:00:00Z"}), 404)
    assert made[ID] not in api.ids(kind.set_name, filter=f"id eq {made[ID]}")


@requirement("create-update-delete/delete-entity")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_missing_entity_cannot_be_deleted(api: Api, kind: EntityType) -> None:
    refused(api.delete(f"{kind.set_name}(9007199254740000)"), 404)


class Station:
    """A station of its own for each test, with the addresses of all its parts."""

    def __init__(self, api: Api) -> None:
        self.api = api
        made = api.create(
            "Things",
            make.station(
                Datastreams=[
                    make.datastream(
                        Observations=[make.observation(n, phenomenonTime=f"2024-01-0{n}T00:00:00Z") for n in (1, 2)]
                    )
                ],
                MultiDatastreams=[make.multi_datastream()],
            ),
        )
        here = f"Things({key(made)})"
        stream = api.value(f"{here}/Datastreams")[0]
        multi = api.value(f"{here}/MultiDatastreams")[0]
        observation = api.value(f"Datastreams({key(stream)})/Observations")[0]
        feature = api.read(f"Observations({key(observation)})/FeatureOfInterest")
        self.paths = {
            "Thing": here,
            "Location": self._of(f"{here}/Locations", "Locations"),
            "HistoricalLocation": self._of(f"{here}/HistoricalLocations", "HistoricalLocations"),
            "Datastream": f"Datastreams({key(stream)})",
            "MultiDatastream": f"MultiDatastreams({key(multi)})",
            "Sensor": f"Sensors({key(api.read(f'Datastreams({key(stream)})/Sensor'))})",
            "ObservedProperty": f"ObservedProperties({key(api.read(f'Datastreams({key(stream)})/ObservedProperty'))})",
            "Observation": f"Observations({key(observation)})",
            "FeatureOfInterest": f"FeaturesOfInterest({key(feature)})",
        }

    def _of(self, path: str, set_name: str) -> str:
        return f"{set_name}({key(self.api.value(path)[0])})"

    def alive(self) -> set[str]:
        return {name for name, path in self.paths.items() if self.api.get(path).status_code == 200}


CASCADES = {
    "Thing": {"HistoricalLocation", "Datastream", "MultiDatastream", "Observation"},
    "Location": {"HistoricalLocation"},
    "HistoricalLocation": set(),
    "Datastream": {"Observation"},
    "MultiDatastream": set(),
    "Sensor": {"Datastream", "Observation"},
    "ObservedProperty": {"Datastream", "Observation"},
    "Observation": set(),
    "FeatureOfInterest": {"Observation"},
}


@requirement("create-update-delete/delete-entity")
@pytest.mark.parametrize("name", CASCADES)
def test_what_depends_on_it_goes_with_it_and_nothing_else(api: Api, name: str) -> None:
    station = Station(api)
    everything = station.alive()
    assert everything == set(station.paths)
    api.remove(station.paths[name])
    assert station.alive() == everything - {name} - CASCADES[name]


@requirement("create-update-delete/delete-entity")
def test_a_deleted_parent_leaves_nothing_countable_behind(api: Api) -> None:
    """Deletion may go in slices; every read must honour it at once (DESIGN §4 rule 7)."""
    station = Station(api)
    stream = station.paths["Datastream"].partition("(")[2].rstrip(")")
    feature = station.paths["FeatureOfInterest"]
    api.remove(station.paths["Thing"])
    assert api.value("Observations", filter=f"Datastream/id eq {stream}") == []
    assert api.read("Observations", filter=f"Datastream/id eq {stream}", count=True)["@iot.count"] == 0
    assert api.value(f"{feature}/Observations") == []
    assert api.read(feature, expand="Observations")["Observations"] == []
    assert api.value(f"{station.paths['Sensor']}/Datastreams") == []


@requirement("create-update-delete/delete-entity")
def test_deleted_location_leaves_the_thing_in_place(api: Api) -> None:
    station = Station(api)
    api.remove(station.paths["Location"])
    assert api.value(f"{station.paths['Thing']}/Locations") == []


@requirement("create-update-delete/delete-entity")
def test_posting_to_a_deleted_parent_is_refused(api: Api) -> None:
    station = Station(api)
    api.remove(station.paths["Datastream"])
    refused(api.post(f"{station.paths['Datastream']}/Observations", make.observation()), 404)
    refused(
        api.post(
            "Observations",
            make.observation(Datastream={ID: int(station.paths["Datastream"].partition("(")[2].rstrip(")"))}),
        ),
        400,
        404,
        409,
    )


@requirement("create-update-delete/delete-entity")
@pytest.mark.parametrize("path", ["Things({k})/name", "Things({k})/Datastreams/$ref", ""])
def test_delete_where_there_is_no_entity_is_refused(api: Api, path: str) -> None:
    """Deleting a property is allowed by some servers for optional ones; a mandatory one never."""
    thing = api.create("Things", make.thing())
    assert api.delete(path.format(k=key(thing))).status_code in (400, 404, 405, 501)
    assert api.read(f"Things({key(thing)})") == thing


@pytest.fixture
def series(api: Api) -> str:
    """The path of ten Observations 0 to 9 of one Datastream, one a day."""
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    rows = [[f"2024-01-{n + 1:02}T00:00:00Z", n, f"2024-02-{n + 1:02}T00:00:00Z"] for n in range(10)]
    api.post(
        "CreateObservations",
        [{"Datastream": ref(stream), "dataArray": rows, "components": ["phenomenonTime", "result", "resultTime"]}],
    )
    return f"Datastreams({key(stream)})/Observations"


@requirement("extension/filtered-delete")
@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("result lt 3", [3, 4, 5, 6, 7, 8, 9]),
        ("result eq 100", list(range(10))),
        ("result ge 0", []),
        ("true", []),
        ("phenomenonTime ge 2024-01-06T00:00:00Z", [0, 1, 2, 3, 4]),
        ("resultTime lt 2024-02-02T00:00:00Z", list(range(1, 10))),
        ("result mod 2 eq 1", [0, 2, 4, 6, 8]),
        ("Datastream/name eq 'nothing'", list(range(10))),
        ("result in (1,2) or result gt 7", [0, 3, 4, 5, 6, 7]),
    ],
)
def test_filtered_delete_takes_what_the_filter_finds(api: Api, series: str, condition: str, left: list[int]) -> None:
    response = api.delete(series, filter=condition)
    assert response.status_code in (200, 204), describe(response)
    assert api.results(series) == left


@requirement("extension/filtered-delete")
def test_filtered_delete_stays_below_its_parent(api: Api, series: str) -> None:
    thing = api.create("Things", make.station())
    other = api.value(f"Things({key(thing)})/Datastreams")[0]
    api.create(f"Datastreams({key(other)})/Observations", make.observation(1))
    api.delete(series, filter="result ge 0")
    assert len(api.value(f"Datastreams({key(other)})/Observations")) == 1


@requirement("extension/filtered-delete")
def test_filtered_delete_of_things_cascades(api: Api) -> None:
    tag = make.unique("gone")
    for _ in range(3):
        api.create("Things", make.station(name=tag, Datastreams=[make.datastream(name=tag)]))
    kept = api.create("Things", make.station())
    assert api.delete("Things", filter=f"name eq '{tag}'").status_code in (200, 204)
    assert api.value("Things", filter=f"name eq '{tag}'") == []
    assert api.value("Datastreams", filter=f"name eq '{tag}'") == []
    assert api.get(f"Things({key(kept)})").status_code == 200


@requirement("extension/filtered-delete")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"filter": ""},
        {"filter": "nothing eq 1"},
        {"filter": "phenomenonTime"},
        {"top": 1},
        {"expand": "Datastream", "filter": "true"},
    ],
)
def test_delete_of_a_set_without_a_sound_filter_is_refused(api: Api, series: str, options: dict[str, str]) -> None:
    """Without a filter, one slip would empty the service. FROST allows it; this service does not."""
    response = api.delete(series, **options)  # type: ignore[arg-type]
    assert response.status_code in (400, 405, 501), describe(response)
    assert len(api.value(series)) == 10


@requirement("extension/filtered-delete", "datamodel/datastream/properties")
def test_filtered_delete_moves_the_extent(api: Api, series: str) -> None:
    stream = series.rpartition("/")[0]
    api.delete(series, filter="result lt 4 or result gt 6")
    found: Entity = api.read(stream)
    assert found["phenomenonTime"].replace(".000Z", "Z") == "2024-01-05T00:00:00Z/2024-01-07T00:00:00Z"
    api.delete(series, filter="true")
    assert api.read(stream).get("phenomenonTime") is None
