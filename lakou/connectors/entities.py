"""From external keys to ids: finds the entities that a Reading names, and creates what is missing.

Works through the SensorThings service as any client would (18-088 §9.3, §10.2). Ids are kept in memory; what has
been deleted since is found out by the 404 of a later request, after `forget`.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

import structlog

from lakou.connectors import bodies
from lakou.connectors.reading import KEY, Datastream, FeatureOfInterest, Json, Thing
from lakou.kernel.errors import BadRequest, LakouError, TooManyRequests, Unavailable
from lakou.kernel.jsontext import decode, encode
from lakou.kernel.time import parse_instant
from lakou.sensorthings.access import ADMIN, Principal
from lakou.sensorthings.store.acting import WAITING

log = structlog.get_logger(__name__)

CACHE_SIZE = 20_000
RECHECK_S = 300.0  # a person may place a Thing at any time; until then its Observations say "place unknown"


class Answer(Protocol):
    """What the service answers; `lakou.sensorthings.service.Answer` fits."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class SensorThings(Protocol):
    """The in-process request interface of the service; `lakou.sensorthings.service.Service` fits."""

    async def call(self, principal: Principal, method: str, target: str, body: bytes = b"", /) -> Answer: ...


@dataclass(slots=True)
class KnownThing:
    """Ids of a Thing and of its Datastreams by key, as they were found at `checked` (monotonic seconds).

    `place` is the id of the feature without geometry that stands for its place while it has no Location.
    """

    id: int
    datastreams: dict[str, int]
    located: bool
    checked: float
    place: int | None = None


@dataclass(slots=True)
class Entities:
    """Ids by key, for each principal: who may not see an entity must not learn its id from the memory of another."""

    service: SensorThings
    max_unclaimed: int = 100
    monotonic: Callable[[], float] = time.monotonic
    created: int = 0
    _things: OrderedDict[tuple[int, str], KnownThing] = field(default_factory=OrderedDict)
    _features: OrderedDict[tuple[int, str], tuple[int, int | None]] = field(default_factory=OrderedDict)
    _creating: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def thing(self, principal: Principal, thing: Thing, *, needs_place: bool = True) -> KnownThing:
        """The Thing with all its Datastreams, created where missing, and its place if it has no Location.

        Raises TooManyRequests (code `unclaimed_limit`) for an unclaimed Thing above the limit.
        """
        known = self._things.get((principal.id, thing.key))
        if known is not None and self._is_enough(known, thing, needs_place):
            return known
        async with self._creating:  # two first messages of one device must not create it twice
            found = await self._find_thing(principal, thing.key) or await self._create_thing(principal, thing)
            for stream in thing.datastreams:
                if stream.key not in found.datastreams:
                    found.datastreams[stream.key] = await self._add_datastream(principal, thing, found.id, stream)
            if needs_place and not found.located:
                await self._place(principal, thing, found)
        _remember(self._things, (principal.id, thing.key), found)
        return found

    async def feature(self, principal: Principal, feature: FeatureOfInterest, *, restricted: bool = False) -> int:
        """The id of the feature under its key or an alias; its content is brought up to `version` if that is newer."""
        cached = self._features.get((principal.id, feature.key))
        if cached is not None and not _is_newer(feature.version, cached[1]):
            return cached[0]
        async with self._creating:
            stored = await self._find_feature(principal, feature)
            if stored is None:
                ident = await self._post(principal, "/FeaturesOfInterest", bodies.feature(feature, restricted))
                version = feature.version
            else:
                ident, key, version = stored
                if _is_newer(feature.version, version):
                    body = encode(bodies.feature(feature, key=key))
                    await self._call(principal, "PATCH", f"/FeaturesOfInterest({ident})", body)
                    version = feature.version
        _remember(self._features, (principal.id, feature.key), (ident, version))
        return ident

    def forget(self, principal: Principal, things: tuple[Thing, ...], features: tuple[FeatureOfInterest, ...]) -> None:
        """Drop what is remembered about these: the store has answered that something is gone."""
        for thing in things:
            self._things.pop((principal.id, thing.key), None)
            self._features.pop((principal.id, f"{thing.key}:place"), None)
        for feature in features:
            self._features.pop((principal.id, feature.key), None)

    def _is_enough(self, known: KnownThing, thing: Thing, needs_place: bool) -> bool:
        if not all(stream.key in known.datastreams for stream in thing.datastreams):
            return False
        placed = known.place is not None and self.monotonic() - known.checked < RECHECK_S
        return placed or known.located or not needs_place

    async def _find_thing(self, principal: Principal, key: str) -> KnownThing | None:
        expand = "Datastreams($select=id,properties;$top=1000),Locations($select=id;$top=1)"
        rows = await self._rows(principal, f"/Things?$filter={_has_key(key)}&$select=id&$expand={expand}&$top=1")
        if not rows:
            return None
        streams = {
            str(stream_key): int(stream["@iot.id"])
            for stream in rows[0].get("Datastreams", [])
            if (stream_key := _lakou(stream).get("key")) is not None
        }
        located = bool(rows[0].get("Locations"))
        return KnownThing(int(rows[0]["@iot.id"]), streams, located, self.monotonic())

    async def _create_thing(self, principal: Principal, thing: Thing) -> KnownThing:
        if not thing.claimed:
            await self._check_unclaimed(thing)
        ident = await self._post(principal, "/Things", bodies.thing(thing))
        return KnownThing(ident, {}, thing.location is not None, self.monotonic())

    async def _check_unclaimed(self, thing: Thing) -> None:
        # Counted over all principals: a limit by token would be lifted by making tokens.
        target = f"/Things?$filter=properties/lakou/claim eq '{WAITING}'&$count=true&$top=0"
        count = (await self._json(ADMIN, target)).get("@iot.count", 0)
        if int(count) >= self.max_unclaimed:
            log.warning("unknown device refused", thing=thing.key, unclaimed=count, limit=self.max_unclaimed)
            raise TooManyRequests(
                f"There are already {count} unknown devices waiting to be claimed.",
                code="unclaimed_limit",
                hint="Claim or delete waiting devices, declare this one beforehand, or raise max_unclaimed.",
            )

    async def _place(self, principal: Principal, thing: Thing, known: KnownThing) -> None:
        """Give an unlocated Thing the Location that its source names, else a feature without geometry."""
        if thing.location is not None:
            await self._post(principal, f"/Things({known.id})/Locations", bodies.location(thing.location))
            known.located = True
            return
        unlocated = FeatureOfInterest(
            key=f"{thing.key}:place",
            name=thing.name,
            description="Position inconnue : l'appareil n'a pas encore été placé.",
            feature={"type": "Feature", "geometry": None, "properties": {}},  # RFC 7946 §3.2
        )
        # Called under the lock, which is not re-entrant: the feature is looked up here and not by `feature`.
        stored = await self._find_feature(principal, unlocated)
        known.place = (
            stored[0]
            if stored is not None
            else await self._post(principal, "/FeaturesOfInterest", bodies.feature(unlocated, not thing.claimed))
        )

    async def _add_datastream(self, principal: Principal, thing: Thing, thing_id: int, stream: Datastream) -> int:
        restricted = not thing.claimed
        measured, sensor = stream.observed_property, stream.sensor
        body = bodies.datastream(
            stream,
            sensor=await self._ensure(principal, "/Sensors", sensor.key, bodies.sensor(sensor), restricted),
            observed_property=await self._ensure(
                principal,
                "/ObservedProperties",
                measured.key,
                bodies.observed_property(measured),
                restricted and not measured.shared,
            ),
        )
        return await self._post(principal, f"/Things({thing_id})/Datastreams", body)

    async def _ensure(
        self, principal: Principal, entity_set: str, key: str, body: dict[str, Json], restricted: bool
    ) -> int:
        rows = await self._rows(principal, f"{entity_set}?$filter={_has_key(key)}&$select=id&$orderby=id&$top=1")
        if rows:
            return int(rows[0]["@iot.id"])
        return await self._post(principal, entity_set, {**body, **bodies.visibility(restricted)})

    async def _find_feature(
        self, principal: Principal, feature: FeatureOfInterest
    ) -> tuple[int, str, int | None] | None:
        """Id, key and version of the stored feature; one under the exact key wins over one under an alias."""
        keys = (feature.key, *feature.aliases)
        condition = " or ".join(_has_key(key) for key in keys)
        rows = await self._rows(principal, f"/FeaturesOfInterest?$filter={condition}&$select=id,properties&$orderby=id")
        if not rows:
            return None
        row = min(rows, key=lambda candidate: _lakou(candidate).get("key") != feature.key)
        version = _lakou(row).get("version")
        return int(row["@iot.id"]), str(_lakou(row)["key"]), parse_instant(version) if version else None

    async def _post(self, principal: Principal, target: str, body: Mapping[str, Json]) -> int:
        created = decode(await self._call(principal, "POST", target, encode(body)))
        self.created += 1
        return int(created["@iot.id"])

    async def _rows(self, principal: Principal, target: str) -> list[dict[str, Json]]:
        rows: list[dict[str, Json]] = (await self._json(principal, target))["value"]
        return rows

    async def _json(self, principal: Principal, target: str) -> dict[str, Json]:
        answer: dict[str, Json] = decode(await self._call(principal, "GET", target))
        return answer

    async def _call(self, principal: Principal, method: str, target: str, body: bytes = b"") -> bytes:
        answer = await self.service.call(principal, method, quote(target, safe="/?&=$(),;:'@"), body)
        if answer.status >= 400:
            raise error_of(answer)
        return answer.body


def error_of(answer: Answer) -> LakouError:
    """The member of the closed family that a refusing answer stands for."""
    try:
        body = decode(answer.body)
    except BadRequest:
        body = {}
    told = body if isinstance(body, dict) else {}
    kinds = {kind.status: kind for kind in LakouError.__subclasses__()}
    kind = kinds.get(answer.status, Unavailable if answer.status >= 500 else BadRequest)
    return kind(
        str(told.get("message") or "The store refuses this."),
        place=told.get("place"),
        hint=told.get("hint"),
        code=told.get("code"),
    )


def _has_key(key: str) -> str:
    if not KEY.fullmatch(key):
        raise BadRequest("A key of a connector has characters that are not allowed.", place=key[:80])
    return f"properties/lakou/key eq '{key}'"


def _lakou(entity: Mapping[str, Json]) -> Mapping[str, Json]:
    """Our own part of an entity's properties; a person may have removed or broken it."""
    properties = entity.get("properties")
    found = properties.get("lakou") if isinstance(properties, dict) else None
    return found if isinstance(found, dict) else {}


def _is_newer(offered: int | None, stored: int | None) -> bool:
    return offered is not None and (stored is None or offered > stored)


def _remember(cache: OrderedDict[tuple[int, str], Json], key: tuple[int, str], value: Json) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > CACHE_SIZE:
        cache.popitem(last=False)
