"""Resource path → target: which set or entity, and which part of it. Unknown names are 404 (18-088 §9.2)."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from lakou.kernel.errors import BadRequest, NotFound
from lakou.sensorthings.grammar import tree
from lakou.sensorthings.grammar.lexer import GrammarLimits, split_path
from lakou.sensorthings.grammar.path import parse_path
from lakou.sensorthings.model import BY_PLURAL, EntityType, Kind, Property
from lakou.sensorthings.plan.values import Hop


class Target(msgspec.Struct, frozen=True):
    """What a URL addresses. `single` means one entity; else a set.

    `member` with `sub` is a property path whose last step is written `label`, `raw` its $value; `ref` is $ref;
    `count` is $count.
    """

    hops: tuple[Hop, ...]
    single: bool
    member: Property | None = None
    sub: tuple[str | int, ...] = ()
    label: str = ""
    raw: bool = False
    ref: bool = False
    count: bool = False

    @property
    def type(self) -> EntityType:
        """The entity type at the end of the path."""
        return self.hops[-1].type


# The path on which nearly all Observations come. Ids differ more than any cache holds, the rest does not.
_INTO_STREAM = re.compile(r"/((?:Multi)?Datastreams)\((0|[1-9][0-9]{0,17})\)/Observations", re.ASCII)


def target_of(raw_path: str, limits: GrammarLimits) -> Target:
    """The target of a raw path below the service root; raises NotFound, BadRequest. Kept, for paths come again."""
    found = _INTO_STREAM.fullmatch(raw_path)
    if found is None:
        return _kept(raw_path, limits)
    kind, key = found.groups()
    stream, observations = _kept(f"/{kind}(1)/Observations", limits).hops
    return Target((Hop(stream.type, None, int(key)), observations), False)


@lru_cache(maxsize=1024)
def _kept(raw_path: str, limits: GrammarLimits) -> Target:
    return resolve(parse_path(raw_path, limits))


def resolve(path: tree.ResourcePath) -> Target:
    """The target of a resource path that is not the root; raises NotFound, BadRequest."""
    hops: list[Hop] = []
    segments = list(path.segments)
    single = False
    while segments:
        segment = segments[0]
        if not hops:
            kind, link = BY_PLURAL.get(segment.name), None
        else:
            link = hops[-1].type.link(segment.name) if single else None
            kind = link.type if link is not None else None
        if kind is None:
            break
        if segment.key is not None and link is not None and not link.many:
            raise NotFound(f"'{segment.name}' leads to one entity and takes no key", place=f"path:{segment.at}")
        hops.append(Hop(kind, link, _key(segment, kind)))
        single = segment.key is not None or (link is not None and not link.many)
        segments.pop(0)
    if not hops:
        raise _unknown(segments[0], ", ".join(BY_PLURAL))
    return _tail(tuple(hops), single, segments)


def _key(segment: tree.Segment, kind: EntityType) -> int | None:
    if isinstance(segment.key, str):
        raise NotFound(f"There is no {kind.name} with this id", place=f"path:{segment.at}", hint="Ids are integers.")
    return segment.key


def _tail(hops: tuple[Hop, ...], single: bool, segments: list[tree.Segment]) -> Target:
    if not segments:
        return Target(hops, single)
    owner = hops[-1].type
    names = [s.name for s in segments]
    for segment in segments:
        if segment.key is not None and not isinstance(segment.key, int):
            raise _unknown(segment, "")
    if names == ["$ref"]:
        return Target(hops, single, ref=True)
    if names == ["$count"] and not single:
        return Target(hops, single, count=True)
    raw = names[-1] == "$value"
    if raw:
        segments, names = segments[:-1], names[:-1]
    if not single or not names:
        raise _unknown(segments[0] if segments else tree.Segment("$value"), "$ref, $count")
    first = split_path(names[0])
    prop = owner.property("id" if first[0] == "@iot.id" else str(first[0]))
    if prop is None or segments[0].key is not None:
        raise _unknown(segments[0], ", ".join(p.name for p in owner.properties))
    sub: list[str | int] = list(first[1:])
    for segment in segments[1:]:
        if segment.name.startswith("$"):
            raise _unknown(segment, "")
        sub += split_path(segment.name)
    if sub and prop.kind not in (Kind.OBJECT, Kind.JSON, Kind.GEOMETRY, Kind.RESULT, Kind.AREA):
        raise _unknown(segments[-1], "")
    return Target(hops, True, prop, tuple(sub), names[-1], raw=raw)


def _unknown(segment: tree.Segment, known: str) -> NotFound:
    name = segment.name if len(segment.name) <= 60 else segment.name[:57] + "…"
    hint = f"Known here: {known}" if known else None
    return NotFound(f"There is no resource '{name}' here", place=f"path:{segment.at}", hint=hint)


def without_options(target: Target, options: tree.Options, allowed: tuple[str, ...]) -> None:
    """Refuse query options that mean nothing on this target."""
    for name, _ in options.pairs:
        if name.startswith("$") and name not in allowed:
            kind = "one entity" if target.single else "this resource"
            raise BadRequest(f"{name} has no meaning on {kind}", place=name, code="option_not_allowed")
