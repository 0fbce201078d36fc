"""Random requests near the valid ones: addresses, expressions and bodies, from a seed.

The vocabulary is the standard's own words with values that break careless readers; `Generator` puts them
together by the grammar and then spoils some.
"""

from __future__ import annotations

import json
import random
from typing import Any

from tests.conformance.model import ALL_TYPES, TARGET, EntityType
from tests.harness import make

# fmt: off
NUMBERS = ["0", "-1", "1", "1.5", "1e308", "1e400", "-0", "9223372036854775807", "9223372036854775808", "9" * 60,
    "0x10", "1_0", "٣", "NaN", "INF", "1e-400", "00", "1.", ".5", "--1"]
TEXTS = ["", "x", "a''b", "%", "\\", "é", "空", "🌊", "\u0000", "a\nb", "{", "[", "null", "x" * 300, ";", ")", "(",
    "$", "@", "\u202e", "\ufeff", "/", "//", "..", "' or 1 eq 1 or name eq '"]
TIMES = ["2024-01-01T00:00:00Z", "2024-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
    "10000-01-01T00:00:00Z", "2024-01-01T00:00:00+14:00", "2024-01-01T24:00:00Z", "2024-01-01", "13:00:00",
    "2024-01-01T00:00:00Z/2024-01-02T00:00:00Z", "2024-01-02T00:00:00Z/2024-01-01T00:00:00Z", "duration'P1D'",
    "duration'P999999999D'", "duration'-PT0.000001S'", "now()", "maxdatetime()", "mindatetime()"]
SHAPES = ["geography'POINT(0 0)'", "geography'POINT(1e308 1e308)'", "geography'POLYGON((0 0,1 0,1 1,0 0))'",
    "geography'POLYGON((0 0,2 2,2 0,0 2,0 0))'", "geography'LINESTRING(0 0,0 0)'", "geography'POINT EMPTY'",
    "geography'GEOMETRYCOLLECTION EMPTY'", "geography'POINT(nan 0)'", "geography'x'", "geography''",
    "geography'MULTIPOINT(0 0,1 1)'", "geography'POLYGON EMPTY'", "geography'CURVEPOLYGON(EMPTY)'"]
OPERATORS = ["eq", "ne", "gt", "ge", "lt", "le", "and", "or", "add", "sub", "mul", "div", "mod", "in", "=", "xor"]
FUNCTIONS = ["substringof", "endswith", "startswith", "length", "indexof", "substring", "tolower", "toupper",
    "trim", "concat", "year", "month", "day", "hour", "minute", "second", "fractionalseconds", "date", "time",
    "totaloffsetminutes", "now", "round", "floor", "ceiling", "geo.distance", "geo.length", "geo.intersects",
    "st_equals", "st_disjoint", "st_touches", "st_within", "st_overlaps", "st_crosses", "st_intersects",
    "st_contains", "st_relate", "before", "after", "meets", "during", "overlaps", "starts", "finishes", "not",
    "nothing"]
OPTIONS = ["$filter", "$orderby", "$top", "$skip", "$count", "$select", "$expand", "$resultFormat",
    "$resultMetadata", "$apply", "$skiptoken", "$id", "$countMode", "$nothing", "top", ""]
NAMES = sorted({name for kind in ALL_TYPES for name in (*kind.properties, *kind.relations)} | {"id", "@iot.id",
    "@iot.selfLink", "properties/a", "properties/a[0]", "unitOfMeasurement/symbol", "nothing", "parameters/x/y",
    "result[0]", "result/a", "properties/a.Thing/name"})
MEDIA = ["application/json", "application/json-patch+json", "text/plain", "multipart/mixed;boundary=b",
    "multipart/mixed", "application/x-ndjson", "", "application/json; charset=utf-16"]
# fmt: on


class Generator:
    """Random requests from a seed. `keys` are keys of existing entities, so that some requests find something."""

    def __init__(self, seed: int, keys: dict[str, list[int]]) -> None:
        self.random = random.Random(seed)
        self.keys = keys

    def request(self) -> tuple[str, str, str, bytes | None]:
        """Method, target below the service root, media type and body."""
        if self.random.random() < 0.65:
            method = self._pick(["GET"] * 20 + ["HEAD", "OPTIONS", "DELETE"])
            return method, self._target(), "", None
        method = self._pick(["POST", "POST", "POST", "PATCH", "PUT"])
        path = self._pick([self._path()[0], self._pick(ALL_TYPES).set_name, "CreateObservations", "$batch"])
        return method, path, self._pick(MEDIA[:1] * 8 + MEDIA), self._body(path)

    def _pick(self, options: Any) -> Any:
        return options[self.random.randrange(len(options))]

    def _target(self) -> str:
        path, kind = self._path()
        options = {self._pick(OPTIONS) for _ in range(self.random.randrange(4))}
        pairs = [f"{option}={self._quote(self._fitting(option, kind))}" for option in sorted(options)]
        return path + ("?" + "&".join(pairs) if pairs else "")

    def _fitting(self, option: str, kind: EntityType) -> str:
        """A value that this option could have, mostly; now and then any other."""
        if self.random.random() < 0.15:
            return self._value()
        match option:
            case "$filter":
                return self._mutate(self._sound(kind, 0), 0.1)
            case "$orderby":
                return self._mutate(",".join(self._member(kind, 0) for _ in range(2)) + self._pick(["", " desc"]), 0.1)
            case "$select":
                return self._mutate(",".join((self._pick([*kind.properties, *kind.relations]), "id")), 0.1)
            case "$expand":
                return self._mutate(self._nested(kind, 0), 0.1)
            case "$top" | "$skip":
                return str(self._pick(["0", "1", "2", "5", *NUMBERS]))
            case "$count":
                return "true"
            case "$resultFormat":
                return str(self._pick(["dataArray", "CSV", "GeoJSON"]))
        return self._value()

    def _member(self, kind: EntityType, depth: int) -> str:
        """A property of this type, or one behind its links."""
        if kind.relations and depth < 3 and self.random.random() < 0.3:
            link = self._pick(kind.relations)
            return f"{link}/{self._member(TARGET[link], depth + 1)}"
        return str(self._pick([*kind.properties, "id", "properties/a[0]", "properties/n"]))

    def _sound(self, kind: EntityType, depth: int) -> str:
        """A condition in good grammar, though its types may not fit."""
        if depth < 3 and self.random.random() < 0.4:
            both = f"{self._sound(kind, depth + 1)} {self._pick(['and', 'or'])} {self._sound(kind, depth + 1)}"
            return str(self._pick([both, f"({both})", f"not ({both})"]))
        member = self._member(kind, 0)
        text = str(self._pick(TEXTS)).replace("'", "''")
        value = self._pick([self._pick(NUMBERS[:9]), f"'{text}'", self._pick(TIMES), "null", "true", "5", "'x'"])
        return str(
            self._pick(
                [
                    f"{member} {self._pick(OPERATORS[:6])} {value}",
                    f"{member} {self._pick(OPERATORS[8:13])} {self._pick(NUMBERS[:8])} gt {value}",
                    f"{self._pick(FUNCTIONS)}({member},{value})",
                    f"{self._pick(FUNCTIONS)}({member},{self._pick(SHAPES)}) lt 1",
                    f"{self._pick(FUNCTIONS)}({member}) eq {value}",
                    f"{member} in ({value},{value})",
                ]
            )
        )

    def _nested(self, kind: EntityType, depth: int) -> str:
        """An expand in good grammar."""
        link = str(self._pick([*kind.relations]))
        target = TARGET[link]
        inner = [f"$top={self._pick(['0', '1', '3'])}", "$count=true", f"$filter={self._sound(target, 2)}"]
        if depth < 4:
            inner.append(f"$expand={self._nested(target, depth + 1)}")
        chosen = [each for each in inner if self.random.random() < 0.5]
        return f"{link}({';'.join(chosen)})" if chosen else link

    def _path(self) -> tuple[str, EntityType]:
        """A path, and the type at its end."""
        kind = self._pick(ALL_TYPES)
        parts = [kind.set_name]
        while self.random.random() < 0.6 and len(parts) < 12:
            key = self._pick([*map(str, self.keys[kind.set_name] * 12), *NUMBERS, "'x'", ""])
            parts[-1] += f"({self._quote(key)})"
            step = self._pick([*kind.relations, *kind.properties, "$ref", "$value", "$count", "nothing"])
            parts.append(step)
            if step not in TARGET:
                break
            kind = TARGET[step]
        if self.random.random() < 0.1:
            parts.append(self._quote(self._pick([*TEXTS, "$ref", "$value"])))
        return "/".join(parts), kind

    def _value(self) -> str:
        choice = self.random.random()
        if choice < 0.3:
            return self._mutate(self._expression(0))
        if choice < 0.5:
            return self._mutate(self._expand(0))
        if choice < 0.7:
            return self._mutate(",".join(self._pick(NAMES) + self._pick(["", " desc", " asc"]) for _ in range(3)))
        return str(
            self._pick(
                [
                    *NUMBERS,
                    *TEXTS,
                    "true",
                    "false",
                    "dataArray",
                    "CSV",
                    "GeoJSON",
                    "minimal",
                    "off",
                    "distinct:properties/a",
                    "aggregate(result with mean as x)",
                    "groupby((bucket(phenomenonTime,duration'PT1H') as t),aggregate($count as n))",
                ]
            )
        )

    def _expand(self, depth: int) -> str:
        name = "/".join(self._pick(NAMES) for _ in range(self.random.randrange(1, 4)))
        if depth < 4 and self.random.random() < 0.5:
            inner = self._pick(
                [
                    f"$expand={self._expand(depth + 1)}",
                    f"$filter={self._expression(1)}",
                    f"$top={self._pick(NUMBERS)}",
                    "$count=true",
                    f"$select={self._pick(NAMES)}",
                    f"$orderby={self._pick(NAMES)}",
                ]
            )
            return f"{name}({inner};$skip={self._pick(NUMBERS)})"
        return name

    def _expression(self, depth: int) -> str:
        choice = self.random.random()
        if depth > 4 or choice < 0.3:
            text = str(self._pick(TEXTS)).replace("'", "''")
            return str(
                self._pick(
                    [
                        self._pick(NUMBERS),
                        f"'{text}'",
                        self._pick(TIMES),
                        self._pick(SHAPES),
                        "true",
                        "null",
                        self._pick(NAMES),
                        f"{self._pick(NAMES)}/{self._pick(NAMES)}",
                        self._pick(NAMES),
                    ]
                )
            )
        if choice < 0.65:
            return f"{self._expression(depth + 1)} {self._pick(OPERATORS)} {self._expression(depth + 1)}"
        if choice < 0.9:
            inner = ",".join(self._expression(depth + 1) for _ in range(self.random.randrange(4)))
            return f"{self._pick(FUNCTIONS)}({inner})"
        if choice < 0.95:
            return f"not ({self._expression(depth + 1)})"
        return f"{self._pick(NAMES)}/any(v:v/{self._pick(NAMES)} eq {self._expression(depth + 1)})"

    def _mutate(self, text: str, often: float = 0.3) -> str:
        while text and self.random.random() < often:
            at = self.random.randrange(len(text))
            text = self._pick(
                [
                    text[:at] + text[at + 1 :],
                    text[:at] + self._pick(TEXTS) + text[at:],
                    text[:at],
                    text[:at] + text[at:] * 2,
                    text.replace(" ", "", 1),
                ]
            )[:4000]
        return text

    def _quote(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        if self.random.random() < 0.03:
            raw += bytes([self.random.randrange(256)])
        kept = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()$,.;:@'/*-_~!"
        coded = "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in raw)
        return coded.replace("%20", "+") if self.random.random() < 0.1 else coded

    def _body(self, path: str) -> bytes:
        kind = TARGET.get(path, self._pick(ALL_TYPES))
        body: Any = kind.body()
        if path == "CreateObservations":
            body = [
                {
                    "Datastream": {"@iot.id": self._pick(self.keys["Datastreams"])},
                    "components": ["phenomenonTime", "result"],
                    "dataArray": [["2024-01-01T00:00:00Z", 1], ["2024-01-02T00:00:00Z", 2]],
                }
            ]
        elif path == "$batch":
            body = {
                "requests": [
                    {
                        "id": str(n),
                        "method": self._pick(["get", "post", "patch", "delete"]),
                        "url": self._target(),
                        "body": make.thing(),
                    }
                    for n in range(3)
                ]
            }
        for _ in range(self.random.randrange(4)):
            body = self._spoil(body)
        raw = json.dumps(body, ensure_ascii=self.random.random() < 0.5).encode("utf-8", "surrogatepass")
        while raw and self.random.random() < 0.15:
            at = self.random.randrange(len(raw))
            raw = self._pick(
                [
                    raw[:at],
                    raw[:at] + bytes([self.random.randrange(256)]) + raw[at + 1 :],
                    raw[:at] + b"[" * 200 + raw[at:],
                    raw[:at] + raw[at:] * 2,
                ]
            )[:200_000]
        return raw

    def _spoil(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.random.random() < 0.8:
            name = self._pick(list(value))
            changed = dict(value)
            if self.random.random() < 0.2:
                changed[self._pick([*NAMES, *TEXTS])] = changed.pop(name)
            else:
                changed[name] = self._spoil(value[name])
            return changed
        if isinstance(value, list) and value and self.random.random() < 0.8:
            at = self.random.randrange(len(value))
            return [*value[:at], self._spoil(value[at]), *value[at + 1 :]]
        return self._pick(
            [
                None,
                True,
                0,
                -1,
                2**63,
                2**64,
                10**40,
                1e308,
                1.5,
                "",
                *TEXTS,
                [],
                {},
                [[]],
                {"@iot.id": 1},
                {"@iot.id": -1},
                {"@iot.id": "x"},
                {"type": "Point", "coordinates": [1e308, -1e308]},
                {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]},
                {"type": "GeometryCollection"},
                *TIMES,
                "\ud800",
                {"a": {"b": {"c": [1, [2, [3]]]}}},
                ["x"] * 50,
            ]
        )
