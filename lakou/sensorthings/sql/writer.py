"""Shared state of writing one statement: parameters, aliases, and what the reader may see.

`visible` is the one place that adds the scope condition (DESIGN §4 rule 9); every hop goes through it.
"""

from __future__ import annotations

from typing import Any

from lakou.sensorthings.access import Principal
from lakou.sensorthings.model import EntityType, ForeignKey, JsonReference, Link, Reverse
from lakou.sensorthings.plan.values import Type
from lakou.sensorthings.sql.dialect import Dialect, Statement

STREAMS = ("Datastream", "MultiDatastream")


class Writer:
    """Collects parameters while SQL text is written; one per statement."""

    def __init__(self, dialect: Dialect, reader: Principal) -> None:
        self.dialect = dialect
        self.reads = reader.reads
        self.parameters: dict[str, Any] = {}
        self._aliases = 0
        self._scopes: str | None = None

    def statement(self, text: str) -> Statement:
        return Statement(text, self.parameters)

    def bind(self, kind: Type, value: Any) -> str:
        """A new parameter of a type; the placeholder."""
        name = f"p{len(self.parameters) + 1}"
        self.parameters[name] = self.dialect.encode(kind, value)
        return self.dialect.parameter(name, kind, value)

    def alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def visible(self, alias: str, type_: EntityType, via: Link | None = None, near: str = "") -> str:
        """The condition that a row of `alias` may be known to the reader.

        `via` is the link by which it was reached from a row that is already visible, `near` that row's id.
        Observations of a feature are found by the pairs of features and Datastreams, for there is no index
        of Observations by feature.
        """
        if not type_.scoped:
            if via is not None and isinstance(via.by, Reverse):
                if via.inverse in STREAMS:
                    return ""
                pairs = "feature_datastream fd join datastream d on d.id = fd.datastream_id"
                seen = f"fd.feature_id = {near} and {self._in_scope('d.')}"
                return f"{alias}.datastream_id in (select d.id from {pairs} where {seen})"
            stream = self.alias()
            seen = f"{stream}.id = {alias}.datastream_id and {self._in_scope(f'{stream}.')}"
            return f"exists (select 1 from datastream {stream} where {seen})"
        parts = [self._in_scope(f"{alias}.")]
        if type_.only is not None:
            parts.append(f"{alias}.{type_.only[0]} = {type_.only[1]}")
        return " and ".join(parts)

    def _in_scope(self, prefix: str) -> str:
        if self.reads is None:
            return f"{prefix}scope_id >= 0"
        if self.reads == {0}:
            return f"{prefix}scope_id = 0"
        if self._scopes is None:
            name = f"p{len(self.parameters) + 1}"
            self.parameters[name] = self.dialect.encode_set(sorted(self.reads))
            self._scopes = self.dialect.placeholder(name)
        return self.dialect.sets(f"{prefix}scope_id", self._scopes)

    def reached(self, link: Link, near: str, far: str) -> tuple[str, str]:
        """(from-part, condition) that joins `far`, the link's target, to the row `near`."""
        table = link.type.table
        match link.by:
            case ForeignKey(column=column):
                return f"{table} {far}", f"{far}.id = {near}.{column}"
            case Reverse(column=column):
                return f"{table} {far}", f"{far}.{column} = {near}.id"
            case JsonReference(column=column, path=path):
                number = self.dialect.json_arm(f"{near}.{column}", path, Type.NUMBER)
                return f"{table} {far}", f"{far}.id = {number}"
            case through:
                middle = self.alias()
                return (
                    f"{through.table} {middle} join {table} {far} on {far}.id = {middle}.{through.far}",
                    f"{middle}.{through.near} = {near}.id",
                )


def conjunction(parts: list[str]) -> str:
    """The parts that are not empty, joined by `and`; `1 = 1` when there is none."""
    return " and ".join(p for p in parts if p) or "1 = 1"
