"""Data arrays: Observations of one Datastream as rows of a table (18-088 §12.2), read a commit's worth at a time.

Rows are told apart in the body first and read when their commit is due: the values of thousands of rows at once
leave the processor's cache, and other requests would wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest, LakouError
from lakou.sensorthings import payload
from lakou.sensorthings.series import Series, series
from lakou.sensorthings.store.observing import Observation


class Group(NamedTuple):
    """One data array: its Datastream, its components and its rows, which may still be JSON text."""

    stream_id: int
    multi: bool
    components: list[str]
    rows: list[Any]
    place: str


Item = Observation | Series | LakouError
"""What one commit is made of: an Observation, many at once, or why there is none."""
Part = tuple[Group, int, int]
"""Rows of a data array: the first, and the one after the last."""


class _Sent(msgspec.Struct, gc=False, omit_defaults=True):
    """A data array as it should be; only a full decode tells what is wrong with another."""

    components: list[str]
    dataArray: list[msgspec.Raw]  # noqa: N815 (the standard's name)
    Datastream: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    MultiDatastream: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


_decoder = msgspec.json.Decoder(list[_Sent])


def groups(body: bytes) -> list[Group]:
    """The data arrays of a body; raises BadRequest when one of them is none."""
    sent = _told_apart(body)
    if not isinstance(sent, list):
        raise BadRequest("CreateObservations takes an array of data arrays", place="/", code="type_mismatch")
    return [_group(one, f"/{n}") for n, one in enumerate(sent)]


def _told_apart(body: bytes) -> Any:
    """The body's value with rows as text; wholly decoded when it is anything but data arrays in ASCII.

    What is only passed over is not checked for its encoding, and what is wrong can be told of the whole alone.
    """
    if body.isascii():
        try:
            return [
                {name: value for name, value in msgspec.structs.asdict(one).items() if value is not msgspec.UNSET}
                for one in _decoder.decode(body)
            ]
        except (msgspec.DecodeError, RecursionError):
            pass
    return jsontext.decode(body)


def commits(groups: list[Group], size: int) -> Iterator[list[Part]]:
    """The rows of all data arrays in order, as many together as a commit takes."""
    parts: list[Part] = []
    room = size
    for group in groups:
        start = 0
        while start < len(group.rows):
            end = min(len(group.rows), start + room)
            parts.append((group, start, end))
            room -= end - start
            start = end
            if not room:
                yield parts
                parts, room = [], size
    if parts:
        yield parts


def items(parts: list[Part]) -> list[Item]:
    """The Observations of these rows, in order; what one of them has wrong stands in its place."""
    found: list[Item] = []
    for group, start, end in parts:
        rows = group.rows[start:end]
        if isinstance(rows[0], msgspec.Raw):
            try:
                rows = jsontext.decode(b"[" + b",".join(rows) + b"]")
            except BadRequest:
                found += [item for n, row in enumerate(rows, start) for item in _lone(group, row, n)]
                continue
        found += _read(group, rows, start)
    return found


def _lone(group: Group, row: msgspec.Raw, n: int) -> list[Item]:
    """A row among others of which one cannot be read at all."""
    try:
        return _read(group, [jsontext.decode(bytes(row))], n)
    except BadRequest as error:
        error.place = f"{group.place}/dataArray/{n}{error.place or ''}"
        return [error]


def _read(group: Group, rows: list[Any], start: int) -> list[Item]:
    """Rows of which `start` is the number of the first."""
    place = f"{group.place}/dataArray"
    usual = _usual(group.components)
    if usual is None:
        return [
            _item(group.components, row, group.stream_id, group.multi, f"{place}/{n}")
            for n, row in enumerate(rows, start)
        ]
    if usual[2] is None and not group.multi:
        found = series(group.stream_id, rows, len(group.components), usual[0], usual[1])
        if found is not None:
            return [found]
    return [*_usual_items(usual, len(group.components), rows, group.stream_id, group.multi, place, start)]


def _group(group: Any, place: str) -> Group:
    if not isinstance(group, dict):
        raise BadRequest("A data array is an object", place=place, code="type_mismatch")
    named = [n for n in ("Datastream", "MultiDatastream") if n in group]
    ref = group[named[0]].get("@iot.id") if len(named) == 1 and isinstance(group[named[0]], dict) else None
    if isinstance(ref, bool) or not isinstance(ref, int):
        raise BadRequest(
            "A data array names its Datastream", place=f"{place}/Datastream", code="missing", hint='{"@iot.id": 1}'
        )
    components, rows = group.get("components"), group.get("dataArray")
    if not isinstance(components, list) or not all(isinstance(c, str) for c in components):
        raise BadRequest("components is an array of names", place=f"{place}/components", code="type_mismatch")
    if len(set(components)) < len(components):
        raise BadRequest("A component is named twice", place=f"{place}/components", code="data_array")
    if not isinstance(rows, list):
        raise BadRequest("dataArray is an array of arrays", place=f"{place}/dataArray", code="type_mismatch")
    if "result" not in components:
        raise BadRequest("components needs 'result'", place=f"{place}/components", code="missing")
    return Group(ref, named[0] == "MultiDatastream", components, rows, place)


def _usual(components: list[str]) -> tuple[int, int, int | None] | None:
    """Where phenomenonTime, result and resultTime stand, when there is nothing else."""
    if not {"phenomenonTime", "result"} <= set(components) <= {"phenomenonTime", "result", "resultTime"}:
        return None
    produced = components.index("resultTime") if "resultTime" in components else None
    return components.index("phenomenonTime"), components.index("result"), produced


def _usual_items(
    usual: tuple[int, int, int | None],
    size: int,
    rows: list[Any],
    stream_id: int,
    multi: bool,
    place: str,
    first: int,
) -> list[Observation | LakouError]:
    """The rows of a data array with only times and results: most of all Observations come this way."""
    at_time, at_result, at_produced = usual
    found: list[Observation | LakouError] = []
    for n, row in enumerate(rows, first):
        try:
            if type(row) is not list or len(row) != size:
                raise BadRequest("A row has one value for each component", code="data_array")
            sent = row[at_time]
            produced = None if at_produced is None else row[at_produced]
            if type(sent) is str and (produced is None or type(produced) is str):
                reading = payload.simple_reading(sent, row[at_result], produced)
            else:
                body = {"phenomenonTime": sent, "result": row[at_result], "resultTime": produced}
                reading = payload.reading(body, f"{place}/{n}")
            found.append(Observation(stream_id, multi, reading))
        except LakouError as error:
            error.place = error.place or f"{place}/{n}"
            found.append(error)
    return found


def _item(components: list[str], row: Any, stream_id: int, multi: bool, place: str) -> Observation | LakouError:
    if not isinstance(row, list) or len(row) != len(components):
        return BadRequest("A row has one value for each component", place=place, code="data_array")
    body = dict(zip(components, row, strict=True))
    feature = body.pop("FeatureOfInterest/id", None)
    body.pop("id", None)
    if feature is not None:
        body["FeatureOfInterest"] = {"@iot.id": feature}
    try:
        payload.check_observation(body, place)
        return Observation(stream_id, multi, payload.reading(body, place), place)
    except LakouError as error:
        return error
