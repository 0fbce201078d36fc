"""Random small worlds and random questions about them, for the tests of visibility.

A world has a public part and, made after it so that ids stay equal, a restricted part that touches the public one
wherever the model allows it: restricted Things at public Locations, restricted Datastreams of public Things, sharing
their Sensors, ObservedProperties and FeaturesOfInterest. All times are given, so that worlds differ in nothing else.
"""

from __future__ import annotations

from random import Random
from typing import Any
from urllib.parse import quote

from lakou.sensorthings.model import BY_NAME, EntityType, Kind, Link
from tests.sensorthings import bodies
from tests.sensorthings.bodies import Body, ref
from tests.sensorthings.caller import AGENT, Caller

RESTRICTED = {"@lakou.visibility": "restricted"}
RESULTS: tuple[Any, ...] = (1, 2.5, -3, 40, "high", "é", True, False, None, {"a": 1}, [1, 2])


class World:
    """What a world holds so far: ids by set name, and the numbers that make its times and places."""

    def __init__(self, caller: Caller, seed: int) -> None:
        self.caller = caller
        self.random = Random(seed)
        self.ids: dict[str, list[int]] = {}
        self.minutes = 0

    def add(self, plural: str, body: Body, **how: Any) -> int:
        id_ = self.caller.make(plural, body, **how)
        self.ids.setdefault(plural, []).append(id_)
        return id_

    def pick(self, plural: str) -> int:
        return self.random.choice(self.ids[plural])

    def place(self) -> tuple[float, float]:
        return self.random.randint(-62, -60), self.random.randint(13, 16)


def build(caller: Caller, seed: int, *, restricted: bool) -> None:
    """Make the world of a seed; without `restricted` only its public part."""
    world = World(caller, seed)
    _public(world)
    if restricted:
        _restricted(world)


def _public(world: World) -> None:
    draw = world.random
    for n in range(2):
        world.add("Sensors", bodies.sensor(f"sensor {n}"))
        world.add("ObservedProperties", bodies.observed_property(f"level {n}"))
        world.add("Locations", bodies.location(f"place {n}", *world.place()))
        world.add("FeaturesOfInterest", bodies.feature(f"feature {n}", *world.place()))
    for n in range(draw.randint(1, 3)):
        # A client's own link to an entity that only the other world has.
        properties = {"level": n, "near.Thing@iot.id": draw.randint(1, 6)}
        thing = world.add(
            "Things", bodies.thing(f"thing {n}", properties=properties, Locations=[ref(world.pick("Locations"))])
        )
        for _ in range(draw.randint(1, 2)):
            _stream(world, thing)
        if draw.random() < 0.5:
            _multi(world, thing)


def _restricted(world: World) -> None:
    draw = world.random
    world.add("Sensors", bodies.sensor("secret sensor", **RESTRICTED))
    world.add("Locations", bodies.location("secret place", 10, 10, **RESTRICTED))
    world.add("FeaturesOfInterest", bodies.feature("secret feature", 20, 20, **RESTRICTED))
    for n in range(draw.randint(1, 3)):
        who = {"who": AGENT} if n == 1 else {}
        locations = [ref(draw.choice(world.ids["Locations"] if not who else world.ids["Locations"][:2]))]
        links = {"near.Thing@iot.id": 1}
        thing = world.add(
            "Things", bodies.thing(f"secret {n}", properties=links, Locations=locations, **RESTRICTED), **who
        )
        _stream(world, thing, secret=True)
        _multi(world, thing, secret=True)
    for thing in world.ids["Things"][:2]:
        _stream(world, thing, secret=True)
    world.caller.call("PATCH", "Things(1)", {"@lakou.visibility": "public"})


def _stream(world: World, thing: int, *, secret: bool = False) -> None:
    draw = world.random
    sensors, features = world.ids["Sensors"], world.ids["FeaturesOfInterest"]
    body = bodies.datastream(
        f"{'secret' if secret else 'stream'} {thing}",
        Thing=ref(thing),
        Sensor=ref(draw.choice(sensors if secret else sensors[:2])),
        ObservedProperty=ref(world.pick("ObservedProperties")),
        **(RESTRICTED if secret else {}),
    )
    stream = world.add("Datastreams", body)
    for _ in range(draw.randint(0, 4)):
        observation = _observation(world, draw.choice(RESULTS), stream, "Datastream")
        if draw.random() < 0.5:
            observation["FeatureOfInterest"] = ref(draw.choice(features if secret else features[:2]))
        world.add("Observations", observation)


def _multi(world: World, thing: int, *, secret: bool = False) -> None:
    properties = [ref(i) for i in world.ids["ObservedProperties"][:2]]
    body = bodies.multi_datastream(
        2,
        Thing=ref(thing),
        Sensor=ref(world.ids["Sensors"][0]),
        ObservedProperties=properties,
        **(RESTRICTED if secret else {}),
    )
    stream = world.add("MultiDatastreams", body)
    world.add("Observations", _observation(world, [1, world.random.randint(0, 9)], stream, "MultiDatastream"))


def _observation(world: World, result: Any, stream: int, kind: str) -> Body:
    world.minutes += world.random.randint(0, 90)
    start = f"2026-01-{1 + world.minutes // 1440:02}T{world.minutes // 60 % 24:02}:{world.minutes % 60:02}:00Z"
    body = {"phenomenonTime": start, "result": result, kind: ref(stream), "parameters": {"n": world.minutes % 5}}
    if world.random.random() < 0.5:
        body["resultTime"] = start
    return body


# ── questions ──

_CONDITIONS: dict[str, tuple[str, ...]] = {
    "Thing": (
        "startswith(name,'secret')", "properties/level ge 1", "Locations/name eq 'secret place'",
        "Datastreams/Observations/result gt 2", "Datastreams/any(d: d/Sensor/name eq 'secret sensor')",
        "properties/near.Thing/name ne 'thing 0'", "not Datastreams/name eq 'secret 1'", "Locations/id lt 3",
        "MultiDatastreams/ObservedProperties/name eq 'level 1'",
    ),
    "Location": (
        "st_within(location,geography'POLYGON ((0 0, 30 0, 30 30, 0 30, 0 0))')", "Things/name eq 'secret 0'",
        "HistoricalLocations/Thing/id gt 1", "geo.distance(location,geography'POINT (-61 14)') lt 40",
        "not Things/any(t: t/id gt 0)",
    ),
    "HistoricalLocation": ("Thing/name eq 'secret 0'", "Locations/name ne 'place 0'", "Thing/Datastreams/id gt 1"),
    "Datastream": (
        "Observations/any(o: o/result gt 2)", "phenomenonTime lt 2026-01-02T00:00:00Z", "Thing/Locations/id eq 1",
        "st_intersects(observedArea,geography'POLYGON ((0 0, 30 0, 30 30, 0 30, 0 0))')", "Sensor/id eq 1",
        "Observations/FeatureOfInterest/name eq 'secret feature'", "resultTime ge 2026-01-01T05:00:00Z",
    ),
    "MultiDatastream": ("Thing/name eq 'secret 0'", "Observations/id gt 3", "ObservedProperties/id eq 1"),
    "Sensor": (
        "Datastreams/name eq 'secret 1'", "Datastreams/Observations/result lt 3", "MultiDatastreams/id gt 0",
        "not Datastreams/any(d: d/id gt 0)",
    ),
    "ObservedProperty": ("Datastreams/Thing/name eq 'secret 0'", "MultiDatastreams/any(m: m/id gt 1)"),
    "Observation": (
        "result gt 1", "Datastream/Thing/name eq 'secret 0'", "FeatureOfInterest/name eq 'feature 1'",
        "MultiDatastream/Sensor/id eq 1", "parameters/n in (1,2)", "FeatureOfInterest/Observations/result eq 40",
        "not Datastream/name eq 'secret 1'", "phenomenonTime gt 2026-01-01T03:00:00Z",
    ),
    "FeatureOfInterest": (
        "Observations/result gt 1", "Observations/Datastream/name eq 'secret 1'", "startswith(name,'place')",
        "not Observations/any(o: o/result eq 40)", "Observations/Datastream/Thing/id eq 1",
    ),
}  # fmt: skip
_ORDERS: dict[str, tuple[str, ...]] = {
    "Thing": ("name desc", "properties/near.Thing/name", "properties/level desc"),
    "Location": ("name",),
    "HistoricalLocation": ("Thing/name desc", "Thing/id"),
    "Datastream": ("Thing/name", "Sensor/name desc", "phenomenonTime desc", "resultTime"),
    "MultiDatastream": ("Thing/name desc",),
    "Sensor": ("name desc",),
    "ObservedProperty": ("name desc",),
    "Observation": ("result", "FeatureOfInterest/name", "Datastream/Thing/name desc", "result desc", "resultTime"),
    "FeatureOfInterest": ("name desc",),
}
_DISTINCT: dict[str, tuple[str, ...]] = {
    "Thing": ("name", "properties/level"),
    "Datastream": ("Thing/name", "Sensor/id", "unitOfMeasurement/symbol"),
    "Observation": ("Datastream/name", "FeatureOfInterest/name", "result", "Datastream/Thing/id"),
    "HistoricalLocation": ("Thing/name",),
}
_APPLIES = (
    "aggregate($count as n,result with sum as s,result with max as m)",
    "groupby((Datastream/name),aggregate($count as n,result with mean as mean))",
    "groupby((FeatureOfInterest/name),aggregate($count as n))",
    "groupby((Datastream/Thing/name,parameters/n),aggregate(result with last as last))",
    "groupby((bucket(phenomenonTime,duration'PT1H') as hour),aggregate(result with min as low,$count as n))",
    "filter(Datastream/Thing/name ne 'thing 0')/aggregate($count as n,result with first as f)",
)


def question(random: Random) -> str:
    """A random request below the service root, with every kind of option that could let something through."""
    type_ = random.choice(list(BY_NAME.values()))
    path, type_ = _path(random, type_)
    if random.random() < 0.1:
        return f"{path}/$count" + (f"?{_option('$filter', _filter(random, type_))}" if random.random() < 0.5 else "")
    if random.random() < 0.06:
        return f"{path}/$ref?$count=true"
    options: list[tuple[str, str]] = []
    if type_.name == "Observation" and random.random() < 0.3:
        options = [("$apply", random.choice(_APPLIES))]
    elif type_.name in _DISTINCT and random.random() < 0.15:
        known = _DISTINCT[type_.name]
        names = random.sample(known, random.randint(1, min(2, len(known))))
        options = [("$select", "distinct:" + ",".join(names)), ("$count", "true")]
    else:
        options = _options(random, type_, depth=3)
    return path + "?" + "&".join(_option(name, value) for name, value in options)


_SHARED = (
    ("FeatureOfInterest", "Observations"), ("Location", "Things"), ("Location", "HistoricalLocations"),
    ("Thing", "Datastreams"), ("Thing", "MultiDatastreams"), ("Sensor", "Datastreams"), ("Sensor", "MultiDatastreams"),
    ("ObservedProperty", "Datastreams"), ("ObservedProperty", "MultiDatastreams"),
)  # fmt: skip


def question_of_shared(random: Random) -> str:
    """A question about what hangs on an entity that the public and the restricted part share."""
    name, link_name = random.choice(_SHARED)
    type_ = BY_NAME[name]
    link = next(link for link in type_.links if link.name == link_name)
    near = f"{type_.plural}({random.randint(1, 2)})"
    options = _options(random, link.type, depth=2)
    if random.random() < 0.3:
        return f"{near}/{link.name}/$count"
    if random.random() < 0.3:
        inner = ";".join(f"{n}={v}" for n, v in options)
        return f"{near}?$expand={quote(link.name + (f'({inner})' if inner else ''), safe='')}"
    return f"{near}/{link.name}?" + "&".join(_option(n, v) for n, v in options)


def _path(random: Random, type_: EntityType) -> tuple[str, EntityType]:
    path = type_.plural
    while random.random() < 0.4:
        link = random.choice([link for link in type_.links if link.many] or [None])
        if link is None:
            break
        path, type_ = f"{path}({random.randint(1, 5)})/{link.name}", link.type
    return path, type_


def _options(random: Random, type_: EntityType, depth: int) -> list[tuple[str, str]]:
    options: list[tuple[str, str]] = []
    if random.random() < 0.5:
        options.append(("$filter", _filter(random, type_)))
    if random.random() < 0.5:
        options.append(("$count", "true"))
    if random.random() < 0.4:
        options.append(("$orderby", random.choice(_ORDERS[type_.name])))
    if random.random() < 0.4:
        options.append(("$top", str(random.randint(0, 3))))
    if random.random() < 0.2:
        options.append(("$skip", str(random.randint(0, 2))))
    if depth and random.random() < 0.7:
        links = random.sample(type_.links, random.randint(1, min(2, len(type_.links))))
        items = [_expand(random, link, depth - 1) for link in links]
        if type_.name == "Thing" and random.random() < 0.4:
            items.append("properties/near.Thing($expand=Datastreams,Locations)")
        options.append(("$expand", ",".join(items)))
    return options


def _expand(random: Random, link: Link, depth: int) -> str:
    options = _options(random, link.type, depth)
    if not link.many:
        options = [pair for pair in options if pair[0] == "$expand"]
    return link.name + (f"({';'.join(f'{n}={v}' for n, v in options)})" if options else "")


def _filter(random: Random, type_: EntityType) -> str:
    chosen = random.sample(_CONDITIONS[type_.name], random.randint(1, 2))
    return random.choice((" and ", " or ")).join(f"({c})" if " or " in c else c for c in chosen)


def _option(name: str, value: str) -> str:
    return f"{name}={quote(value, safe='')}"


def members(type_: EntityType) -> list[str]:
    """The names of the stored properties of a type."""
    return [p.name for p in type_.properties if p.kind is not Kind.ID and not p.derived]
