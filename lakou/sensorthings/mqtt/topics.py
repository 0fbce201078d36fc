"""Topics ↔ SensorThings: a topic filter → what to tell about; a topic name → where a message is created.

A topic is `v1.1/` and a resource path, for a subscription also with `?$select`, `$filter` and `$expand` (18-088 §14.2;
the last two as in FROST's extensions MqttFilter and MqttExpand). Grammar, plan and rendering are those of HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from lakou.kernel import jsontext
from lakou.kernel.errors import LakouError
from lakou.sensorthings.access import Principal
from lakou.sensorthings.grammar.lexer import GrammarLimits
from lakou.sensorthings.grammar.options import parse_query_string
from lakou.sensorthings.grammar.tree import Options
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import FEATURE, OBSERVATION, EntityType, Kind
from lakou.sensorthings.mqtt.reasons import Reason
from lakou.sensorthings.plan.read import Asker, plan_read
from lakou.sensorthings.plan.target import Target, target_of
from lakou.sensorthings.plan.values import Hop, ReadPlan
from lakou.sensorthings.render import columns, entities
from lakou.sensorthings.render.columns import Row
from lakou.sensorthings.render.entities import Style
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS

PREFIX = "v1.1/"
LONGEST_WRITTEN = 200
_OPTIONS = ("$select", "$filter", "$expand")
_EXAMPLE = "example: v1.1/Datastreams(1)/Observations"


class TopicError(Exception):
    """Why a topic is refused: a reason code and words for the client."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Form(Enum):
    """The three forms of a topic (18-088 §14.2.1 to §14.2.3)."""

    SET = "set"
    ENTITY = "entity"
    PROPERTY = "property"


class Topic(msgspec.Struct, frozen=True):
    """What a topic filter names. `timeless` tells that its plan does not depend on the clock.

    `asks` topics of Observations cost a query for each commit; others are told from the rows of the commit.
    """

    text: str
    target: Target
    options: Options
    form: Form
    asks: bool = False

    @property
    def type(self) -> EntityType:
        return self.target.type

    @property
    def timeless(self) -> bool:
        return self.options.filter is None or "now" not in self.text

    @property
    def personal(self) -> bool:
        """Whether it depends on the name of the one who asks (`principalName()`)."""
        return "principal" in self.text

    def plan(self, limits: Limits, now: int, name: str) -> ReadPlan:
        """The plan that reads the entities of this topic; raises BadRequest for names and types that do not fit."""
        plan = plan_read(self.target, self.options, Asker(limits, now, name))
        return msgspec.structs.replace(plan, single=True, order=(), positioned=False)


def read_filter(text: str, limits: Limits) -> Topic:
    """The topic of a topic filter; raises TopicError."""
    if text.startswith("$share/"):
        raise TopicError(Reason.SHARED_UNSUPPORTED, "There are no shared subscriptions here")
    if "#" in text or "+" in text:
        raise TopicError(Reason.WILDCARDS_UNSUPPORTED, "There are no wildcards here: name a set, such as v1.1/Things")
    if not text.startswith(PREFIX):
        raise TopicError(Reason.TOPIC_FILTER_INVALID, f"A topic begins with {PREFIX}; {_EXAMPLE}")
    path, _, query = text[len(PREFIX) :].partition("?")
    grammar = GrammarLimits(bytes=limits.url_bytes, tokens=limits.tokens, depth=limits.depth)
    try:
        if not path or path.startswith("/"):
            raise TopicError(Reason.TOPIC_FILTER_INVALID, f"A topic names a resource; {_EXAMPLE}")
        target = target_of("/" + path, grammar)
        options = parse_query_string(query, grammar)
        _check(target, options)
        topic = Topic(text, target, options, _form(target))
        plan = topic.plan(limits, 0, "")
    except LakouError as error:
        raise TopicError(Reason.TOPIC_FILTER_INVALID, _said(error)) from None
    except RecursionError:
        raise TopicError(Reason.TOPIC_FILTER_INVALID, "The topic is nested too deeply") from None
    asks = topic.type is OBSERVATION and topic.form is Form.SET and row_picker(plan) is None
    return msgspec.structs.replace(topic, asks=asks)


def _check(target: Target, options: Options) -> None:
    if target.ref or target.count or target.raw:
        raise TopicError(Reason.TOPIC_FILTER_INVALID, "Topics name sets, entities and properties")
    for name, _ in options.pairs:
        if name not in _OPTIONS:
            raise TopicError(
                Reason.TOPIC_FILTER_INVALID, f"'{name[:40]}' has no meaning in a topic: {', '.join(_OPTIONS)}"
            )
    if options.distinct or (options.pairs and target.member is not None):
        raise TopicError(Reason.TOPIC_FILTER_INVALID, "A property is told as it is, an entity as a whole")


def _form(target: Target) -> Form:
    if target.member is not None:
        return Form.PROPERTY
    return Form.ENTITY if target.single else Form.SET


def _said(error: LakouError) -> str:
    return ": ".join(part for part in (error.place, error.message) if part)


# ── where messages are created ──


def write_target(text: str, limits: GrammarLimits) -> tuple[Hop, ...]:
    """The path of a topic that Observations are published to; raises TopicError for any other."""
    if text.startswith(PREFIX) and len(text) <= LONGEST_WRITTEN:
        hops = _written("/" + text[len(PREFIX) :], limits)
        if hops is not None:
            return hops
    raise TopicError(
        Reason.TOPIC_NAME_INVALID,
        "Publish to v1.1/Observations or to the Observations of a Datastream, MultiDatastream or FeatureOfInterest",
    )


@lru_cache(maxsize=20_000)
def _written(path: str, limits: GrammarLimits) -> tuple[Hop, ...] | None:
    if path.startswith("//") or "?" in path:
        return None
    try:
        target = target_of(path, limits)
    except LakouError:
        return None
    hops = target.hops
    if target.type is not OBSERVATION or target.single or target.member or target.ref or target.count:
        return None
    if len(hops) == 1:
        return hops
    parent = hops[0]
    fits = len(hops) == 2 and parent.key is not None and (parent.type.table == "datastream" or parent.type is FEATURE)
    return hops if fits else None


# ── what is told ──


def row_picker(plan: ReadPlan) -> Callable[[list[Any], bool], Row] | None:
    """Makes the plan's row from a gathered Observation, so that no database is asked; None when one must be.

    The function takes a row of OBSERVATION_COLUMNS and whether its stream is a MultiDatastream.
    """
    if plan.type is not OBSERVATION or plan.where is not None or plan.expands:
        return None
    source = plan.source
    if any(hop.key is not None for hop in source[-1:]):
        return None
    if len(source) > 1 and not (
        len(source) == 2 and source[0].key is not None and source[0].type.table == "datastream"
    ):
        return None
    picked = [OBSERVATION_COLUMNS.index(column) for prop in plan.fields for column in prop.columns]
    extra = bool(plan.extras)

    def pick(row: list[Any], multi: bool) -> Row:
        found = [row[n] for n in picked]
        if extra:
            found.append(int(multi))
        return found

    return pick


def painter(topic: Topic, plan: ReadPlan, base: str) -> Callable[[Row], Any]:
    """Makes the JSON value of a message from a row of the plan: the entity, or an object with the one property."""
    target = topic.target
    if target.member is None:
        render = entities.renderer(plan, Style(base))
        return lambda row: render((row,))[0]
    if target.member.kind is Kind.ID:
        return lambda row: {"@iot.id": row[0]}
    read = columns.reader(target.member, 1)
    name, sub = (target.label, target.sub) if target.sub else (target.member.name, ())

    def paint(row: Row) -> Any:
        value = read((row,))[0]
        return {name: entities.member(columns.plain(value), sub) if sub else value}

    return paint


def encoded(value: Any) -> bytes:
    """The payload of a message."""
    return jsontext.encode(value)


def may_tell(principal: Principal, scope_id: int) -> bool:
    """Whether a principal may know of the Observations of a stream with this scope."""
    return scope_id >= 0 and (principal.reads is None or scope_id in principal.reads)
