"""Data sets shared by the read tests. Each is made once per server and never changed by a test."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.harness import make
from tests.harness.client import Api, Entity, key


@dataclass(frozen=True)
class World:
    """One complete station: an entity of each type, by the name of its set, and the URL path of each."""

    entities: dict[str, Entity]

    def path(self, set_name: str) -> str:
        return f"{set_name}({key(self.entities[set_name])})"

    def __getitem__(self, set_name: str) -> Entity:
        return self.entities[set_name]


@pytest.fixture(scope="session")
def world(api: Api) -> World:
    """A station with every optional property filled: two Datastreams of three Observations, one MultiDatastream."""
    marked = {"owner": "Lézarde", "level": 3}
    thing = api.create(
        "Things",
        make.thing(
            properties=dict(marked),
            Locations=[
                make.location(
                    name=make.unique("Le Lamentin"), location=make.point(-61.0, 14.6), properties=dict(marked)
                )
            ],
        ),
    )
    here = f"Things({key(thing)})"
    streams = [
        api.create(
            f"{here}/Datastreams",
            make.datastream(
                name=make.unique(f"series-{number}"),
                properties=dict(marked),
                Sensor=make.sensor(properties=dict(marked)),
                ObservedProperty=make.observed_property(properties=dict(marked)),
            ),
        )
        for number in range(2)
    ]
    for stream in streams:
        for hour in range(3):
            api.create(
                f"Datastreams({key(stream)})/Observations",
                make.observation(
                    hour + 0.5,
                    phenomenonTime=f"2024-03-01T0{hour}:00:00Z",
                    resultTime=f"2024-03-01T0{hour}:05:00Z",
                    validTime=f"2024-03-01T0{hour}:00:00Z/2024-03-02T0{hour}:00:00Z",
                    resultQuality={"status": "good"},
                    parameters={"depth": hour},
                ),
            )
    multi = api.create(f"{here}/MultiDatastreams", make.multi_datastream(properties=dict(marked)))
    api.create(
        f"MultiDatastreams({key(multi)})/Observations",
        make.observation([1, 2], phenomenonTime="2024-03-01T00:00:00Z", resultTime="2024-03-01T00:00:00Z"),
    )
    first = f"Datastreams({key(streams[0])})"
    observation = api.value(f"{first}/Observations")[0]
    feature = api.read(f"Observations({key(observation)})/FeatureOfInterest")
    api.change(f"FeaturesOfInterest({key(feature)})", {"properties": dict(marked)})
    return World(
        {
            "Things": api.read(here),
            "Locations": api.value(f"{here}/Locations")[0],
            "HistoricalLocations": api.value(f"{here}/HistoricalLocations")[0],
            "Datastreams": api.read(first),
            "Sensors": api.read(f"{first}/Sensor"),
            "ObservedProperties": api.read(f"{first}/ObservedProperty"),
            "Observations": observation,
            "FeaturesOfInterest": api.read(f"Observations({key(observation)})/FeatureOfInterest"),
            "MultiDatastreams": api.read(f"MultiDatastreams({key(multi)})"),
        }
    )
