"""Scenarios are read and checked; what is wrong is told with its place; what they say happens."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from lakou.kernel.errors import BadRequest
from lakou.simulator import network, readings, scenario
from lakou.simulator.places import PLACES
from lakou.simulator.world import Site

NOW_S = 1_795_348_800.0


def file(**changes: Any) -> bytes:
    found: dict[str, Any] = {
        "name": "essai",
        "title": "EXERCICE : essai",
        "summary": "EXERCICE.",
        "to_calibrate": "tout",
        "duration_min": 60,
    }
    return yaml.safe_dump({**found, **changes}).encode()


RAIN = {"kind": "rain", "at_min": 1, "length_min": 9, "peak_mm_h": 30, "longitude": -61, "latitude": 14.6}


@pytest.mark.parametrize("name", scenario.names())
def test_the_scenarios_of_the_product_are_well_and_say_exercise(name: str) -> None:
    found = scenario.load(name)
    assert found.name == name
    assert found.to_calibrate
    for inject in found.injects:
        assert inject.text.startswith("EXERCICE")


def test_the_four_scenarios_are_there() -> None:
    assert scenario.names() == ["crue-lezarde", "cyclone", "ordinaire", "seisme-tsunami"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"name: [", "line 1"),
        (b"\xff", "byte 0"),
        (b"a: &x 1\nb: *x\n", "f.yaml"),
        (file(name="Not A Name"), "name"),
        (file(title="sans le mot"), "title"),
        (file(colour="red"), "top"),
        (file(effects=[{**RAIN, "peak_mm_h": -1}]), "effects[0].peak_mm_h"),
        (file(effects=[RAIN, {**RAIN, "peek": 1}]), "effects[1]"),
        (file(effects=[{"kind": "meteorite"}]), "effects[0].kind"),
        (file(effects=[{"kind": "silence", "at_min": 0, "length_min": 1, "families": ["x"]}]), "effects[0].families"),
        (file(effects=[{"kind": "power-cut", "at_min": 0, "length_min": 1, "place": "x"}]), "effects[0].place"),
        (file(injects=[{"at_min": 1, "kind": "media", "sender": "x", "text": "sans"}]), "injects[0].text"),
        (file(injects=[{"at_min": 61, "kind": "media", "sender": "x", "text": "EXERCICE"}]), "injects[0].at_min"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(content: bytes, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        scenario.read(content, "f.yaml")
    assert place in (caught.value.place or "")


def test_an_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(BadRequest) as caught:
        scenario.load("tornade")
    assert "ordinaire" in (caught.value.hint or "")


def test_a_name_does_not_lead_out_of_the_folder() -> None:
    with pytest.raises(BadRequest, match="Unknown scenario"):
        scenario.load("../scenarios/ordinaire")


def test_the_flood_crosses_upstream_before_downstream_and_rises_as_a_flood_does() -> None:
    world = scenario.make_world(scenario.load("crue-lezarde"), seed=network.SEED, zero_s=NOW_S)
    times = [NOW_S + 300.0 * step for step in range(73)]
    upstream = [world.rivers.level_m("lezarde-amont", moment) for moment in times]
    downstream = [world.rivers.level_m("lezarde-aval", moment) for moment in times]
    assert max(upstream) - upstream[0] > 1.5
    assert max(downstream) - downstream[0] > 1.5
    assert upstream.index(max(upstream)) < downstream.index(max(downstream))
    # The red rate of rise of the default rules (§5.3): 1 m in an hour.
    assert max(after - before for before, after in zip(upstream, upstream[12:], strict=False)) > 1.0
    assert downstream[-1] < max(downstream)


def test_the_earthquake_is_felt_the_sea_withdraws_and_a_fifth_loses_its_current() -> None:
    world = scenario.make_world(scenario.load("seisme-tsunami"), seed=network.SEED, zero_s=NOW_S)
    mairie = PLACES["mairie"][1:]
    shaking = [readings.felt("accelero-mairie", mairie, world, NOW_S + second) for second in range(0, 120, 20)]
    assert 8.0 < max(shaking) < 9.2  # type: ignore[operator]
    port = PLACES["port"][1:]
    calm = readings.sea("maree-port", port, (), world, NOW_S)
    low, high = (readings.sea("maree-port", port, (), world, NOW_S + 60.0 * minute) for minute in (47, 52))
    assert low == pytest.approx(calm - 0.6, abs=0.08)  # type: ignore[operator]
    assert high == pytest.approx(calm + 1.4, abs=0.08)  # type: ignore[operator]
    sites = [device.site for device in network.build(network.SEED, 1000) if device.family == "eclairage"]
    dark = sum(world.fails("power", site, NOW_S + 600.0) for site in sites) / len(sites)
    assert 0.1 < dark < 0.3


def test_a_lamp_of_a_cabinet_without_current_does_not_burn_and_its_meter_stands() -> None:
    world = scenario.make_world(scenario.load("cyclone"), seed=network.SEED, zero_s=NOW_S)
    at_s = NOW_S + 800 * 60.0
    cut = [d for d in network.build(network.SEED, 300) if world.fails("power", d.site, at_s)]
    assert {"eclairage", "compteurs"} <= {device.family for device in cut}
    for device in cut:
        if device.family == "eclairage":
            assert [flow.model(world, at_s) for flow in device.flows] == [0.0, 0]
        if device.key.startswith("energie"):
            index, power = device.flows
            assert index.model(world, at_s) == index.model(world, at_s + 1800.0)
            assert power.model(world, at_s) == 0


def test_a_share_strikes_about_that_share_and_always_the_same_ones() -> None:
    content = file(effects=[{"kind": "silence", "at_min": 0, "length_min": 5, "share": 0.3}])
    worlds = [scenario.make_world(scenario.read(content, "f.yaml"), seed=3, zero_s=NOW_S) for _ in range(2)]
    sites = [Site(f"s{number}", "eau", (-61.0, 14.6)) for number in range(500)]
    struck = [[site.key for site in sites if world.fails("silence", site, NOW_S)] for world in worlds]
    assert struck[0] == struck[1]
    assert 110 < len(struck[0]) < 190
