"""The network is the same for the same seed, has the size that was asked, and stands in the territory."""

from __future__ import annotations

import pytest

from lakou.kernel.errors import BadRequest
from lakou.simulator import bodies, network, places
from lakou.simulator.catalogue import PROPERTIES
from lakou.simulator.scenario import FAMILIES
from lakou.simulator.world import World

NOW_S = 1_795_350_000.0


@pytest.mark.parametrize("sensors", [10, 11, 30, 300, 1234, 5000])
def test_a_network_has_as_many_devices_as_asked_each_with_its_own_key(sensors: int) -> None:
    devices = network.build(1, sensors)
    assert len(devices) == len({device.key for device in devices}) == len({d.name for d in devices}) == sensors


@pytest.mark.parametrize("sensors", [9, 5001])
def test_a_size_out_of_range_is_refused(sensors: int) -> None:
    with pytest.raises(BadRequest, match="10 to 5000"):
        network.build(1, sensors)


def test_the_same_seed_gives_the_same_network_and_values_and_another_one_does_not() -> None:
    def shown(seed: int) -> list[object]:
        world = World(seed)
        return [
            (device.key, device.point, flow.key, flow.model(world, NOW_S))
            for device in network.build(seed, 60)
            for flow in device.flows
        ]

    assert shown(7) == shown(7)
    assert shown(7) != shown(8)


def test_a_larger_network_holds_the_devices_of_a_smaller_one_unchanged() -> None:
    small = {device.key: (device.name, device.point) for device in network.build(1, 300)}
    large = {device.key: (device.name, device.point) for device in network.build(1, 1000)}
    assert small.items() <= large.items()


def test_every_kind_of_device_is_among_300_and_stands_in_the_commune_or_its_bay() -> None:
    devices = network.build(1, 300)
    assert {device.family for device in devices} | {"exercice"} == set(FAMILIES)
    assert {device.group for device in devices} | {"exercice"} == set(network.GROUPS)
    named = {place[1:] for place in places.PLACES.values()}
    for device in devices:
        assert device.point in named or places.is_inside(device.point) or device.family == "bus", device.key


def test_every_observed_property_is_used_and_defined_and_has_its_ucum_unit() -> None:
    used = {flow.observed.key for device in network.build(1, 300) for flow in device.flows}
    assert used | {"message-exercice"} == set(PROPERTIES)
    for observed in PROPERTIES.values():
        assert observed.definition.startswith(("http://vocab.nerc.ac.uk/standard_name/", "urn:lakou:"))
        assert (observed.ucum is None) == (observed.unit["definition"] is None) == (observed.unit_name is None)


def test_everything_says_exercise() -> None:
    ids: dict[str, object] = dict.fromkeys(PROPERTIES, 1)
    things = [bodies.thing_body(device, ids) for device in network.build(1, 60)] + [bodies.stage_body(1)]
    for thing in things:
        for entity in (thing, *thing["Locations"], *thing["Datastreams"]):  # type: ignore[misc]
            assert entity["properties"]["exercise"] is True
            assert bodies.EXERCISE_NOTE in entity["description"]
