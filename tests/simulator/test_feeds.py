"""Every instant that a device measures is sent exactly once: live, late, or filled behind."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator import feeds, network
from lakou.simulator.feeds import Feed, offset_of
from lakou.simulator.world import Segment, Spell, Timeline, World

NOW_S = 1_795_350_000.0
DEVICES = network.build(1, 30)
FOREVER = 1e12


def made(devices: tuple[network.Device, ...], live_from_s: float = NOW_S) -> list[Feed]:
    return [
        Feed(device, flow, 1, offset_of(1, device, flow), live_from_s, live_from_s, live_from_s + 0.5)
        for device in devices
        for flow in device.flows
    ]


def timeline(**spells: tuple[Spell, ...]) -> Timeline:
    return Timeline([Segment(0.0, "x", 0.0, World(1, **spells))])


def send(found: list[Feed], worlds: Timeline, now_s: float, most: int) -> list[tuple[int, int]]:
    """What a gateway does with what is due: send, then move the marks."""
    sent = []
    for batch in feeds.due(found, worlds, now_s, most):
        assert sum(len(piece.moments) for piece in batch) <= most
        for piece in batch:
            sent += [(id(piece.feed), moment) for moment in piece.moments]
            piece.feed.sent_until_s = piece.reached_s
    return sent


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.3, 900.0), min_size=1, max_size=15), st.sampled_from([1, 7, 1000]))
def test_what_is_due_is_sent_once_in_order_whatever_the_ticks(ticks: list[float], most: int) -> None:
    found, worlds = made(DEVICES[::5]), timeline()
    now_s, sent = NOW_S, []
    for tick in ticks:
        now_s += tick
        sent += send(found, worlds, now_s, most)
    for feed in found:
        mine = [moment for which, moment in sent if which == id(feed)]
        assert mine == feed.instants(NOW_S, now_s)
        assert mine == sorted(set(mine))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.0, 1.0), st.integers(3, 400), st.floats(600.0, 40_000.0))
def test_the_past_is_filled_once_newest_first_and_meets_the_live_part(part: float, most: int, long_s: float) -> None:
    live_from_s = NOW_S + part
    found, worlds = made(DEVICES[::7], live_from_s), timeline()
    since_s = live_from_s - long_s
    sent: dict[int, list[int]] = {id(feed): [] for feed in found}
    while batch := feeds.behind(found, worlds, since_s, most):
        for piece in batch:
            sent[id(piece.feed)] += piece.moments
            piece.feed.filled_from_s = piece.reached_s
    for feed in found:
        mine = sent[id(feed)]
        assert mine == sorted(set(mine), reverse=True)
        assert set(mine) == set(feed.instants(since_s - 0.5, live_from_s))
        # Together with the live part there is no hole longer than a step.
        together = sorted(mine) + feed.instants(live_from_s, live_from_s + 4000.0)
        longest = max(feeds.HISTORY_STEP_S, feed.flow.period_s)
        assert all(after - before <= longest for before, after in pairwise(together))


def test_a_device_behind_a_lost_link_measures_keeps_and_sends_when_it_is_back() -> None:
    lost = Spell("link", NOW_S + 100.0, NOW_S + 1000.0, families=frozenset({"eau"}))
    found, worlds = made(DEVICES), timeline(lost_links=(lost,))
    sent = send(found, worlds, NOW_S + 90.0, 1000) + send(found, worlds, NOW_S + 900.0, 1000)
    river = next(feed for feed in found if feed.device.family == "eau")
    assert max(moment for which, moment in sent if which == id(river)) <= NOW_S + 90.0
    sent += send(found, worlds, NOW_S + 1100.0, 1000)
    assert [moment for which, moment in sent if which == id(river)] == river.instants(NOW_S, NOW_S + 1100.0)


def test_a_silent_device_measures_nothing_and_no_other_is_silent() -> None:
    gone = Spell("silence", NOW_S + 100.0, FOREVER, things=frozenset({"air-centre"}))
    found, worlds = made(DEVICES), timeline(silences=(gone,))
    sent = send(found, worlds, NOW_S + 3000.0, 1000)
    for feed in found:
        mine = [moment for which, moment in sent if which == id(feed)]
        until_s = NOW_S + 99.9 if feed.device.key == "air-centre" else NOW_S + 3000.0
        assert mine == feed.instants(NOW_S, until_s)
        assert mine == feed.planned(worlds, NOW_S, NOW_S + 3000.0)


def test_a_value_belongs_to_the_world_that_played_at_its_instant() -> None:
    first, second = World(1), World(2)
    worlds = Timeline([Segment(NOW_S, "a", NOW_S, first)])
    worlds.add(Segment(NOW_S + 100.0, "b", NOW_S + 100.0, second))
    assert worlds.world_at(NOW_S - 9999.0) is first
    assert worlds.world_at(NOW_S + 99.9) is first
    assert worlds.world_at(NOW_S + 100.0) is second
    worlds.add(Segment(NOW_S + 50.0, "c", NOW_S, first))
    assert [segment.name for segment in worlds.segments] == ["a", "c"]
