"""What the pages read: Things with their latest values, and the last 24 hours of one Datastream.

Each is one or a few in-process SensorThings requests, as the visitor, decoded into plain values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from lakou.kernel.errors import Unavailable
from lakou.kernel.time import SECOND, format_instant, parse_time_value
from lakou.sensorthings.access import Principal
from lakou.web import french
from lakou.web.freshness import Freshness, State, judge, usual_period_s, worst
from lakou.web.positions import Position, position_of
from lakou.web.service_access import DataService

THINGS_A_PAGE = 100
STREAMS_A_THING = 50
# Enough gaps for an honest median, few enough to stay one cheap probe a Datastream.
LATEST = 6
DAY_S = 86_400
LINE_PAGE = 10_000
LINE_PAGES = 3

T = TypeVar("T")


class _Row(msgspec.Struct, kw_only=True, rename={"id": "@iot.id", "next_link": "@iot.nextLink"}):
    id: int = 0
    name: str = ""
    description: str = ""
    properties: dict[str, Any] | None = None


class _Observation(msgspec.Struct, kw_only=True):
    phenomenonTime: str  # noqa: N815 – the standard's spelling
    result: Any = None


class _Location(_Row, kw_only=True):
    location: Any = None


class _Datastream(_Row, kw_only=True):
    unitOfMeasurement: dict[str, Any] | None = None  # noqa: N815 – the standard's spelling
    ObservedProperty: _Row | None = None
    Thing: _Row | None = None
    Observations: list[_Observation] = []


class _Thing(_Row, kw_only=True):
    Locations: list[_Location] = []
    Datastreams: list[_Datastream] = []
    more_streams: str | None = msgspec.field(default=None, name="Datastreams@iot.nextLink")


class _Things(msgspec.Struct, kw_only=True):
    value: list[_Thing]
    count: int = msgspec.field(default=0, name="@iot.count")


class _Observations(msgspec.Struct, kw_only=True):
    value: list[_Observation]
    next_link: str | None = msgspec.field(default=None, name="@iot.nextLink")


@dataclass(frozen=True, slots=True)
class DatastreamState:
    """One Datastream with its latest value. Times are Unix seconds; `value` is ready to read."""

    id: int
    name: str
    unit: str | None
    value: str
    latest_s: float | None
    period_s: float | None
    freshness: Freshness

    @property
    def age(self) -> str:
        return french.age(self.freshness.age_s)

    @property
    def latest_iso(self) -> str:
        return "" if self.latest_s is None else format_instant(int(self.latest_s * SECOND))

    @property
    def period_text(self) -> str:
        return "" if self.period_s is None else f"{self.period_s:g}"


@dataclass(frozen=True, slots=True)
class ThingState:
    """One Thing with its Datastreams; `number` counts from 1 on the page and marks it on the map."""

    id: int
    number: int
    name: str
    place: str
    is_exercise: bool
    position: Position | None
    datastreams: tuple[DatastreamState, ...]
    has_more: bool

    @property
    def state(self) -> State:
        return worst([stream.freshness.state for stream in self.datastreams])


@dataclass(frozen=True, slots=True)
class NetworkState:
    """One page of Things, the number of all of them, and the page's number (from 1)."""

    things: tuple[ThingState, ...]
    total: int
    page: int

    def streams(self) -> Iterator[DatastreamState]:
        """Every Datastream of the page."""
        for thing in self.things:
            yield from thing.datastreams

    @property
    def fresh(self) -> int:
        return sum(stream.freshness.state == "fresh" for stream in self.streams())

    @property
    def silent(self) -> int:
        return sum(stream.freshness.state != "fresh" for stream in self.streams())

    @property
    def exercises(self) -> int:
        return sum(thing.is_exercise for thing in self.things)

    @property
    def latest_age_s(self) -> float | None:
        ages = [stream.freshness.age_s for stream in self.streams() if stream.freshness.age_s is not None]
        return min(ages, default=None)

    @property
    def pages(self) -> int:
        return max(-(-self.total // THINGS_A_PAGE), 1)


@dataclass(frozen=True, slots=True)
class DayOfDatastream:
    """One Datastream over 24 hours: instants (Unix seconds, ascending) with results; `is_cut` when older ones
    were left out. `csv_target` is the same window as a request below the service root.
    """

    id: int
    name: str
    thing_name: str
    is_exercise: bool
    unit: str | None
    period_s: float | None
    start_s: float
    end_s: float
    rows: tuple[tuple[float, object], ...]
    is_cut: bool
    csv_target: str


async def read_network(
    service: DataService, who: Principal, now_s: float, page: int = 1, family: str = ""
) -> NetworkState:
    """A page of Things, by name, of one family or all. Raises LakouError when the data plane cannot answer."""
    wanted = family.replace("'", "''")
    only = f"&$filter=properties/famille eq '{wanted}'" if family else ""
    latest = f"Observations($select=phenomenonTime,result;$orderby=phenomenonTime desc;$top={LATEST})"
    streams = (
        f"Datastreams($select=id,name,unitOfMeasurement,properties;$orderby=id;$top={STREAMS_A_THING};"
        f"$expand=ObservedProperty($select=id,name),{latest})"
    )
    target = "/Things?" + _options(
        f"$count=true&$orderby=name,id&$top={THINGS_A_PAGE}&$skip={(page - 1) * THINGS_A_PAGE}"
        f"{only}&$select=id,name,properties&$expand=Locations($select=id,name,location),{streams}"
    )
    found = await _read(service, who, target, _Things)
    if found is None:
        return NetworkState((), 0, page)
    first = (page - 1) * THINGS_A_PAGE + 1
    things = tuple(_thing_state(row, first + place, now_s) for place, row in enumerate(found.value))
    return NetworkState(things, found.count, page)


async def read_families(service: DataService, who: Principal) -> tuple[str, ...]:
    """The families that Things say they belong to (`properties/famille`), by the alphabet."""
    found = await _read(service, who, "/Things?$select=distinct:properties/famille&$top=100", _Things)
    names = {(row.properties or {}).get("famille") for row in found.value} if found else set()
    return tuple(sorted(name for name in names if isinstance(name, str) and 0 < len(name) <= 40))


async def read_day(service: DataService, who: Principal, datastream_id: int, now_s: float) -> DayOfDatastream | None:
    """The last 24 hours of a Datastream, or None when there is none that this visitor may know of."""
    head = await _read(
        service,
        who,
        f"/Datastreams({datastream_id})?"
        + _options("$expand=ObservedProperty($select=id,name),Thing($select=id,name,properties)"),
        _Datastream,
    )
    if head is None:
        return None
    start, end = format_instant(int(now_s - DAY_S) * SECOND), format_instant(int(now_s) * SECOND)
    window = f"$filter=phenomenonTime ge {start} and phenomenonTime le {end}"
    base = f"/Datastreams({datastream_id})/Observations?"
    target: str | None = base + _options(
        f"{window}&$orderby=phenomenonTime desc&$top={LINE_PAGE}&$select=phenomenonTime,result"
    )
    rows: list[tuple[float, object]] = []
    for _ in range(LINE_PAGES):
        answer = await _read(service, who, target, _Observations) if target else None
        if answer is None:
            break
        rows += [(_end_s(row.phenomenonTime), row.result) for row in answer.value]
        target = _below_root(answer.next_link, base)
    rows.reverse()
    thing = head.Thing
    return DayOfDatastream(
        id=datastream_id,
        name=_stream_name(head),
        thing_name=thing.name if thing else "",
        is_exercise=_is_exercise(head) or (thing is not None and _is_exercise(thing)),
        unit=_unit(head),
        period_s=usual_period_s([moment for moment, _ in rows], (head.properties or {}).get("period_s")),
        start_s=now_s - DAY_S,
        end_s=now_s,
        rows=tuple(rows),
        is_cut=target is not None,
        csv_target=base + _options(f"{window}&$orderby=phenomenonTime asc&$top={LINE_PAGE}&$resultFormat=CSV"),
    )


def _thing_state(row: _Thing, number: int, now_s: float) -> ThingState:
    names = Counter(_stream_name(stream) for stream in row.Datastreams)
    streams = tuple(
        # Two sensors of one property on one Thing are told apart by their own names.
        _datastream_state(stream, stream.name if names[_stream_name(stream)] > 1 else _stream_name(stream), now_s)
        for stream in row.Datastreams
    )
    moving = (position_of(stream.Observations[0].result) for stream in row.Datastreams if stream.Observations)
    # Where a Thing reports its own position, that is newer than the Location it was registered with.
    places = [found for found in moving if found] + [position_of(place.location) for place in row.Locations]
    return ThingState(
        id=row.id,
        number=number,
        name=row.name or f"Objet {row.id}",
        place=row.Locations[0].name if row.Locations else "",
        is_exercise=_is_exercise(row),
        position=places[0] if places else None,
        datastreams=streams,
        has_more=row.more_streams is not None,
    )


def _datastream_state(row: _Datastream, name: str, now_s: float) -> DatastreamState:
    times = [_end_s(observation.phenomenonTime) for observation in row.Observations]
    latest_s = times[0] if times else None
    period_s = usual_period_s(times, (row.properties or {}).get("period_s"))
    unit = _unit(row)
    return DatastreamState(
        id=row.id,
        name=name,
        unit=unit,
        value=french.result(row.Observations[0].result, unit) if times else french.UNKNOWN,
        latest_s=latest_s,
        period_s=period_s,
        freshness=judge(now_s, latest_s, period_s),
    )


def _stream_name(row: _Datastream) -> str:
    observed = row.ObservedProperty.name if row.ObservedProperty else ""
    return observed or row.name or f"Flux {row.id}"


def _unit(row: _Datastream) -> str | None:
    symbol = (row.unitOfMeasurement or {}).get("symbol")
    # UCUM writes "1" for a plain number: readers need no unit there.
    return symbol if isinstance(symbol, str) and symbol not in ("", "1") else None


def _is_exercise(row: _Row) -> bool:
    return (row.properties or {}).get("exercise") is True


def _end_s(phenomenon_time: str) -> float:
    start, end = parse_time_value(phenomenon_time)
    return (start if end is None else end) / SECOND


def _options(text: str) -> str:
    return quote(text, safe="$=&(),;:/-._~")


def _below_root(link: str | None, base: str) -> str | None:
    # nextLink is absolute; what follows `?` is the whole of the request, below the same path.
    return base + urlsplit(link).query if link else None


async def _read(service: DataService, who: Principal, target: str, kind: type[T]) -> T | None:
    answer = await service.call(who, "GET", target)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise Unavailable(f"The data plane answered {answer.status}", hint="Try again in a moment.")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.MsgspecError as error:
        raise Unavailable("The data plane's answer cannot be read") from error
