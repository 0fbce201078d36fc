"""An Observation as an event of the stream: encoded once, shared by all clients that may see the same of it.

Source: WHATWG HTML §9.2 (server-sent events).
"""

from __future__ import annotations

from typing import Any

from lakou.kernel import jsontext
from lakou.kernel.time import format_instant, format_interval
from lakou.sensorthings.render.columns import result
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.position import Position
from lakou.sensorthings.store.registry import Stream
from lakou.sensorthings.store.session import ID

FEATURE = OBSERVATION_COLUMNS.index("feature_id")
_START, _END, _RESULT_TIME, _RESULT = map(
    OBSERVATION_COLUMNS.index, ("time_start", "time_end", "result_time", "result_type")
)


class Event:
    """An Observation with its place in the order of commits."""

    __slots__ = ("_bare", "_full", "place", "row", "stream")

    def __init__(self, place: Position, stream: Stream, row: list[Any]) -> None:
        self.place = place
        self.stream = stream
        self.row = row
        self._full: bytes | None = None
        self._bare: bytes | None = None

    def frame(self, *, with_thing: bool) -> bytes:
        """The event as bytes; `with_thing` for those who may know of the Thing."""
        if with_thing:
            if self._full is None:
                self._full = self._encoded(with_thing=True)
            return self._full
        if self._bare is None:
            self._bare = self._encoded(with_thing=False)
        return self._bare

    def _encoded(self, *, with_thing: bool) -> bytes:
        stream, row = self.stream, self.row
        start, end, result_time = row[_START], row[_END], row[_RESULT_TIME]
        data: dict[str, Any] = {"multiDatastream" if stream.members else "datastream": stream.id}
        if with_thing:
            data["thing"] = stream.thing_id
        data["id"] = row[ID]
        data["phenomenonTime"] = format_instant(start) if end is None else format_interval(start, end)
        data["resultTime"] = None if result_time is None else format_instant(result_time)
        data["result"] = result(*row[_RESULT : _RESULT + 5])
        return b"id: %s\nevent: observation\ndata: %s\n\n" % (self.place.text().encode(), jsontext.encode(data))
