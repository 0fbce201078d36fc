"""A full round with the public client library of Fraunhofer IOSB, as its users write it.

What an unknown client takes for granted (casing of directions, plus signs for spaces, PUT with what was read)
shows here and nowhere else.
"""

from __future__ import annotations

import datetime
import warnings
from typing import Any

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api
from tests.harness.server import Server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import frost_sta_client as fsc
    import geojson

pytestmark = [pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def service(server: Server) -> Any:
    """The library's service object, signed in with the token as password."""
    return fsc.SensorThingsService(server.base, auth_handler=fsc.AuthHandler("tests", server.token))


def _datastream(thing: Any) -> Any:
    return fsc.Datastream(
        name=make.unique("client stream"),
        description="A series",
        observation_type=make.MEASUREMENT,
        unit_of_measurement=fsc.UnitOfMeasurement(name="degree Celsius", symbol="°C", definition="ucum:Cel"),
        thing=thing,
        sensor=fsc.Sensor(name="s", description="d", encoding_type="application/pdf", metadata="http://example.org"),
        observed_property=fsc.ObservedProperty(name="p", definition="http://example.org/p", description="d"),
    )


@pytest.fixture(scope="module")
def thing(service: Any) -> Any:
    """A Thing with a Location, made by the library."""
    made = fsc.Thing(name=make.unique("client thing"), description="A gauge", properties={"owner": "CACEM", "n": 1})
    made.locations = [
        fsc.Location(
            name="Lamentin",
            description="d",
            encoding_type="application/geo+json",
            location=geojson.Point((-61.0, 14.6)),
        )
    ]
    service.create(made)
    return made


@pytest.fixture(scope="module")
def stream(service: Any, thing: Any) -> Any:
    """A Datastream with three Observations, made by the library."""
    made = _datastream(fsc.Thing(id=thing.id))
    service.create(made)
    for hour in range(3):
        service.create(
            fsc.Observation(
                phenomenon_time=f"2024-01-01T0{hour}:00:00Z", result=hour, datastream=fsc.Datastream(id=made.id)
            )
        )
    return made


@requirement("create-update-delete/create-entity")
def test_create_and_find(service: Any, thing: Any) -> None:
    found = service.things().find(thing.id)
    assert (found.name, found.properties["owner"]) == (thing.name, "CACEM")


@requirement("request-data/filter")
def test_query_with_filter_and_count(service: Any, thing: Any) -> None:
    found = service.things().query().count().filter(f"name eq '{thing.name}'").list()
    assert [each.id for each in found] == [thing.id]
    assert found.count == 1


@requirement("request-data/orderby")
@pytest.mark.parametrize(("order", "expected"), [("ASC", [0, 1, 2]), ("DESC", [2, 1, 0]), ("asc", [0, 1, 2])])
def test_order_as_the_library_writes_it(service: Any, stream: Any, order: str, expected: list[int]) -> None:
    query = service.observations().query().filter(f"Datastream/id eq {stream.id}")
    assert [each.result for each in query.orderby("phenomenonTime", order).list()] == expected


@requirement("request-data/pagination", "request-data/top")
def test_pages_are_followed(service: Any, stream: Any) -> None:
    query = service.observations().query().filter(f"Datastream/id eq {stream.id}").top(1)
    assert sorted(each.result for each in query.list()) == [0, 1, 2]


@requirement("request-data/expand", "request-data/select")
def test_expand_and_select(service: Any, thing: Any, stream: Any) -> None:
    query = service.things().query().filter(f"id eq {thing.id}").select("name", "id")
    found = next(iter(query.expand("Datastreams($expand=Observations),Locations").list()))
    assert [each.id for each in found.datastreams] == [stream.id]


@requirement("resource-path/resource-path-to-entities")
def test_related_entities(service: Any, thing: Any, stream: Any) -> None:
    mine = service.things().find(thing.id)
    assert [each.id for each in mine.get_datastreams().query().list()] == [stream.id]
    assert len(list(mine.get_locations().query().list())) == 1


@requirement("create-update-delete/update-entity-put")
def test_update_puts_what_was_read(service: Any) -> None:
    made = fsc.Thing(name=make.unique("put"), description="old")
    service.create(made)
    found = service.things().find(made.id)
    found.description = "new"
    service.update(found)
    assert service.things().find(made.id).description == "new"


@requirement("create-update-delete/update-entity-jsonpatch")
def test_patch_sends_json_patch(service: Any) -> None:
    made = fsc.Thing(name=make.unique("patch"), description="old", properties={"a": 1})
    service.create(made)
    service.patch(made, [{"op": "replace", "path": "/properties/a", "value": 2}])
    assert service.things().find(made.id).properties == {"a": 2}


@requirement("data-array/data-array")
def test_data_array_document(service: Any, thing: Any) -> None:
    made = _datastream(fsc.Thing(id=thing.id))
    service.create(made)
    properties = fsc.model.ext.data_array_value.DataArrayValue.Property
    rows = fsc.model.ext.data_array_value.DataArrayValue()
    rows.datastream = fsc.Datastream(id=made.id)
    rows.components = {properties.PHENOMENON_TIME, properties.RESULT}
    for hour in range(3):
        rows.add_observation(
            fsc.Observation(
                phenomenon_time=datetime.datetime(2024, 1, 1, hour, tzinfo=datetime.UTC),
                result=hour,
                datastream=fsc.Datastream(id=made.id),
            )
        )
    document = fsc.model.ext.data_array_document.DataArrayDocument()
    document.add_data_array_value(rows)
    created = service.observations().create(document)
    assert len(created) == 3
    found = service.observations().query().filter(f"Datastream/id eq {made.id}").list()
    assert [each.result for each in found] == [0, 1, 2]


@requirement("multi-datastream/properties")
def test_multi_datastream(service: Any, api: Api, thing: Any) -> None:
    """Made by hand: the library (1.1.53) cannot send units of a MultiDatastream under Python 3.11."""
    made = api.create(f"Things({thing.id})/MultiDatastreams", make.multi_datastream())
    service.create(
        fsc.Observation(
            phenomenon_time="2024-01-01T00:00:00Z", result=[1, 2], multi_datastream=fsc.MultiDatastream(id=made[ID])
        )
    )
    found = service.multi_datastreams().find(made[ID])
    assert found.name == made["name"]
    assert len(found.unit_of_measurements) == 2
    assert [each.result for each in found.get_observations().query().list()] == [[1, 2]]


@requirement("create-update-delete/delete-entity")
def test_delete(service: Any) -> None:
    made = fsc.Thing(name=make.unique("gone"), description="d")
    service.create(made)
    service.delete(made)
    assert list(service.things().query().filter(f"id eq {made.id}").list()) == []


@requirement("create-update-delete/historical-location-auto-creation")
def test_history_of_a_thing(service: Any, thing: Any) -> None:
    history = list(service.things().find(thing.id).get_historical_locations().query().list())
    assert len(history) == 1
