"""What differs between the two databases, as small functions of SQL text.

Times are micros (SQLite) or timestamptz (PostgreSQL); truth values are 0/1 or boolean; geometry is WKB or
geometry; JSON is text read by path. Everything else is the same SQL.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import msgspec

from lakou.sensorthings.plan.values import Type


class Micros(int):
    """Microseconds since 1970 as a parameter: an integer on SQLite, sent as timestamptz to PostgreSQL."""

    @classmethod
    def of(cls, value: int | None) -> Micros | None:
        """None stays None."""
        return None if value is None else cls(value)


class Statement(msgspec.Struct, frozen=True):
    """SQL text and its parameters by name ("p1", "p2", …), ready for the driver of its dialect."""

    text: str
    parameters: dict[str, Any]


class Dialect(ABC):
    """SQL fragments that the two databases write differently. Arguments are SQL text unless said otherwise."""

    name: ClassVar[str]
    functions: ClassVar[dict[str, str]]
    """Function name → template over {0}, {1}, {2}: see plan.functions."""

    @abstractmethod
    def placeholder(self, name: str) -> str:
        """The bare placeholder of a parameter."""

    @abstractmethod
    def parameter(self, name: str, kind: Type, value: Any) -> str:
        """The placeholder of a parameter of this type, cast where the value's own type would be too narrow."""

    @abstractmethod
    def encode(self, kind: Type, value: Any) -> Any:
        """A plan's constant as the driver wants it."""

    @abstractmethod
    def json_value(self, column: str, path: tuple[str | int, ...]) -> str:
        """The JSON value at a path, to be used with `json_arm` and `json_is_null`."""

    @abstractmethod
    def json_arm(self, column: str, path: tuple[str | int, ...], kind: Type) -> str:
        """The JSON value at a path as number, text or boolean; null when it is of another type."""

    @abstractmethod
    def json_is_null(self, column: str, path: tuple[str | int, ...]) -> str:
        """True when the path is absent or null."""

    @abstractmethod
    def json_text(self, column: str, path: tuple[str | int, ...]) -> str:
        """The JSON value at a path as JSON text, for results; null when absent."""

    @abstractmethod
    def to_instant(self, text: str) -> str:
        """A text as an instant, null when it is none."""

    @abstractmethod
    def nested(self, text: str, kind: str) -> str:
        """A column inside a nested JSON row: `kind` is time, json (already JSON) or plain."""

    @abstractmethod
    def text(self, json: str) -> str:
        """A JSON value as text, for the driver."""

    @abstractmethod
    def json_row(self, values: list[str]) -> str:
        """A JSON array of values."""

    @abstractmethod
    def json_rows(self, row: str) -> str:
        """Aggregate of JSON rows into a JSON array (null or empty when there is none)."""

    @abstractmethod
    def boxes(self, id_: str, seen: str) -> str:
        """A query for min_x, min_y, max_x, max_y over the features `f` of a Datastream; `seen` limits them."""

    @abstractmethod
    def near(self, alias: str, table: str, geometry: str, bounds: tuple[str, str, str, str]) -> str | None:
        """A condition that an index can use to find rows whose box meets `bounds`; None when not needed."""

    @abstractmethod
    def box_geometry(self, alias: str) -> str:
        """The geometry of a row with min_x, min_y, max_x, max_y; null when they are."""

    @abstractmethod
    def truth(self, value: bool) -> str:
        """A truth value as a literal."""

    @abstractmethod
    def bucket(self, instant: str, width: str) -> str:
        """The start of the bucket of `width` micros that holds the instant, counted from the epoch."""

    @abstractmethod
    def sets(self, column: str, parameter: str) -> str:
        """`column` is one of the integers of a parameter (a JSON array or an array)."""

    @abstractmethod
    def encode_set(self, values: list[int]) -> Any:
        """A set of integers as the parameter of `sets`."""
