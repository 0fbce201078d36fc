"""POST, PATCH, PUT, DELETE: body and path → work for the writer → answer after the commit.

`prepare` checks all that can be checked without the database and gives the work; $batch puts several works into
one commit. Source: 18-088 §10; filtered delete as in FROST's extension FilteredDelete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lakou.kernel import jsontext
from lakou.kernel import time as clock
from lakou.kernel.errors import BadRequest, Forbidden, NotFound, Unauthorized, UnsupportedMediaType
from lakou.sensorthings import jsonpatch, payload, replay, version
from lakou.sensorthings.access import Principal
from lakou.sensorthings.grammar.lexer import GrammarLimits
from lakou.sensorthings.grammar.options import parse_query_string
from lakou.sensorthings.grammar.tree import Options
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import FEATURE, MULTI_DATASTREAM, OBSERVATION, EntityType
from lakou.sensorthings.payload import Ref, Tree
from lakou.sensorthings.plan.read import Asker, plan_read
from lakou.sensorthings.plan.target import Target, target_of
from lakou.sensorthings.plan.values import Hop
from lakou.sensorthings.render.columns import result
from lakou.sensorthings.render.entities import Style, renderer, values
from lakou.sensorthings.request import Answer, Header, Request, empty, json_answer, not_allowed
from lakou.sensorthings.sql import read as sql
from lakou.sensorthings.store import deleting, entities
from lakou.sensorthings.store.observing import Observation, observe
from lakou.sensorthings.store.session import Session
from lakou.sensorthings.work import Work, Written

JSON_TYPES = ("application/json", "")
_READ, _SET, _ENTITY = "GET, HEAD", "GET, HEAD, POST, DELETE", "GET, HEAD, PATCH, PUT, DELETE"
_NO_OPTIONS = Options()
PATCH_TYPE = "application/json-patch+json"
_USUAL = frozenset({"phenomenonTime", "result", "resultTime"})


class Writing:
    """Prepares writes. It never touches the database itself."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._grammar = GrammarLimits(bytes=limits.url_bytes, tokens=limits.tokens, depth=limits.depth)

    def prepare(self, request: Request) -> Work:
        """The work of one request; raises LakouError for what needs no database to be refused."""
        check_writer(request.principal)
        target = target_of(request.path, self._grammar)
        options = parse_query_string(request.query, self._grammar) if request.query else _NO_OPTIONS
        if target.member is not None or target.count:
            raise not_allowed(f"{request.method} is not possible on a property", _READ, "PATCH the entity.")
        match request.method:
            case "POST":
                work = self._post(request, target, options)
            case "PATCH" | "PUT":
                work = self._change(request, target, options)
            case "DELETE":
                work = self._delete(request, target, options)
            case _:
                raise not_allowed(f"{request.method[:20]} is not possible here", _READ)
        if work.entities and request.client is not None:
            work.run = _sent_from(request.client, work.run)
        key = request.header(b"idempotency-key")
        return work if key is None else replay.once(work, request, key)

    # ── create ──

    def _post(self, request: Request, target: Target, options: Options) -> Work:
        if target.single or target.ref:
            raise not_allowed("Entities are created in a set", _ENTITY, "POST to the set, or PATCH the entity.")
        body = _json_body(request)
        hops, type_ = target.hops, target.type
        parent, link = (hops[-2], hops[-1].link) if len(hops) > 1 else (None, None)
        if parent is not None and parent.type is MULTI_DATASTREAM and type_ is not OBSERVATION:
            raise BadRequest(
                "The ObservedProperties of a MultiDatastream are set with it",
                place="path",
                code="multi_datastream",
                hint="PATCH the MultiDatastream with all three lists.",
            )
        if type_ is OBSERVATION and (fast := plain_observation(body, hops)) is not None:
            work = plain_work(request.principal, hops, fast)
            work.answer = lambda id_: _created_observation(request, id_, fast, options)
            return work
        given = (link.inverse,) if link is not None else ()
        tree = payload.tree(type_, body, given=given)
        work = tree_work(request.principal, hops, tree)
        work.answer = lambda done: _created(request, done, options)
        return work

    # ── change ──

    def _change(self, request: Request, target: Target, options: Options) -> Work:
        if not target.single or target.ref:
            raise not_allowed("A set cannot be changed as a whole", _SET, "PATCH one entity.")
        type_, principal = target.type, request.principal
        body = _json_body(request, patch=True)
        is_patch = request.media_type == PATCH_TYPE
        if is_patch and request.method != "PATCH":
            raise UnsupportedMediaType("JSON Patch goes with PATCH")
        tree = None if is_patch else payload.changes(type_, body, whole=request.method == "PUT")
        expected = request.header(b"if-match")

        def run(session: Session) -> Written:
            id_ = reach(session, principal, target.hops)
            if expected is not None or is_patch:
                entities.own(session, principal, type_, id_)
                current, tag = self._current(session, principal, type_, id_)
                version.check(expected, tag)
                if is_patch:
                    patched = jsonpatch.apply(current, body)
                    return self._patched(session, principal, type_, id_, current, patched)
            assert tree is not None  # noqa: S101  only a JSON Patch has none
            entities.update(session, principal, type_, id_, tree)
            return Written(type_, id_, created=False)

        return Work(run, lambda done: Answer(200, [], b""))

    def _current(
        self, session: Session, principal: Principal, type_: EntityType, id_: int
    ) -> tuple[dict[str, Any], str]:
        """(the entity's own properties as JSON, its ETag) as the transaction sees them."""
        plan = plan_read(Target((Hop(type_, None, id_),), True), Options(), Asker(self._limits, clock.now(), ""))
        dialect = session.dialect
        rows = session.tx.read(sql.page(dialect, plan, principal))
        if not rows:
            raise NotFound(f"There is no {type_.name} with id {id_}")
        shown = msgspec.structs.replace(plan, show_id=False, show_self=False, links=())
        entity = values(renderer(shown, Style("", "off"))(rows))[0]
        stored = {p.name for p in type_.properties if not p.derived}
        return {k: v for k, v in entity.items() if k in stored}, version.etag(plan, rows[0])

    def _patched(
        self,
        session: Session,
        principal: Principal,
        type_: EntityType,
        id_: int,
        before: dict[str, Any],
        after: Any,
    ) -> Written:
        if not isinstance(after, dict):
            raise BadRequest("The patched entity is not an object", place="/", code="json_patch")
        removed = [name for name in before if name not in after]
        for name in removed:
            prop = type_.property(name)
            if prop is not None and (prop.required or name == "phenomenonTime"):
                raise BadRequest(f"'{name}' cannot be removed", place=f"/{name}", code="missing")
        changed = {
            k: v for k, v in after.items() if k not in before or before[k] != v or type(before[k]) is not type(v)
        }
        changed |= dict.fromkeys(removed)
        if "location" in changed or "feature" in changed:
            changed.setdefault("encodingType", after.get("encodingType"))
        jsontext.check(changed)
        entities.update(session, principal, type_, id_, payload.changes(type_, changed))
        return Written(type_, id_, created=False)

    # ── delete ──

    def _delete(self, request: Request, target: Target, options: Options) -> Work:
        principal, type_ = request.principal, target.type
        if target.ref:
            raise not_allowed("A $ref cannot be deleted", _READ)
        if target.single:
            expected = request.header(b"if-match")

            def run(session: Session) -> Written:
                id_ = reach(session, principal, target.hops)
                if expected is not None:
                    version.check(expected, self._current(session, principal, type_, id_)[1])
                done = deleting.delete(session, principal, type_, id_)
                return Written(type_, id_, created=False, more=not done)

            return Work(run, lambda done: empty(200))
        if options.filter is None:
            raise BadRequest(
                "Deleting a whole set needs a $filter",
                place="$filter",
                code="missing",
                hint="DELETE Observations?$filter=phenomenonTime lt 2020-01-01T00:00:00Z",
            )
        for name, _ in options.pairs:
            if name.startswith("$") and name != "$filter":
                raise BadRequest(f"{name} has no meaning here", place=name, code="option_not_allowed")
        plan = plan_read(target, options, Asker(self._limits, clock.now(), principal.name))

        def run_filtered(session: Session) -> Written:
            statement = sql.identifiers(session.dialect, plan, principal, deleting.SLICE + 1)
            ids = [row[0] for row in session.tx.read(statement)]
            for id_ in ids[: deleting.SLICE]:
                if entities.row_of(session, type_, id_) is not None and not deleting.delete(
                    session, principal, type_, id_
                ):
                    return Written(type_, 0, created=False, more=True)
            return Written(type_, 0, created=False, more=len(ids) > deleting.SLICE)

        return Work(run_filtered, lambda done: empty(200))


def check_writer(principal: Principal) -> None:
    """Raise Unauthorized for the anonymous, Forbidden for those who only read."""
    if principal.role == "anonymous":
        raise Unauthorized("Writing needs a token", hint="Authorization: Bearer lk_…")
    if not principal.may_write:
        raise Forbidden("This token may only read")


def reach(session: Session, principal: Principal, hops: tuple[Hop, ...]) -> int:
    """The id of the entity that a path leads to, as the principal sees it; raises NotFound."""
    last = hops[-1]
    if len(hops) == 1 and last.key is not None:
        return last.key
    rows = session.tx.read(sql.exists(session.dialect, hops, principal))
    if not rows:
        raise NotFound(f"There is no such {last.type.name}")
    return int(rows[0][0])


def _sent_from(address: str, run: Callable[[Session], Any]) -> Callable[[Session], Any]:
    """The same, with acts told as coming from this address."""

    def addressed(session: Session) -> Any:
        session.address = address
        try:
            return run(session)
        finally:
            session.address = ""

    return addressed


# ── creating, the same from HTTP and from MQTT ──


def published(principal: Principal, hops: tuple[Hop, ...], body: Any) -> Work | Observation:
    """What a message does: a plain Observation to `observe`, which may share a job with others, or a work of its own.

    `hops` lead to Observations. Raises LakouError for what needs no database to be refused.
    """
    plain_one = plain_observation(body, hops)
    if plain_one is not None:
        feature = plain_one.reading.feature
        return plain_work(principal, hops, plain_one) if isinstance(feature, Tree) or len(hops) > 2 else plain_one
    link = hops[-1].link
    given = () if link is None else (link.inverse,)
    return tree_work(principal, hops, payload.tree(OBSERVATION, body, given=given))


def plain_work(principal: Principal, hops: tuple[Hop, ...], item: Observation) -> Work:
    """The common case: a plain Observation for a Datastream that the path or the body names."""
    deep = len(hops) > 2
    feature = item.reading.feature

    def run(session: Session) -> int:
        if deep:
            reach(session, principal, hops[:-1])
        return observe(session, principal, item)

    return Work(run, lambda _: empty(201), entities=isinstance(feature, Tree), whole=isinstance(feature, Tree) or deep)


def tree_work(principal: Principal, hops: tuple[Hop, ...], tree: Tree) -> Work:
    """The creation of an entity with what hangs on it, in the set that a path leads to."""
    parent, link = (hops[-2], hops[-1].link) if len(hops) > 1 else (None, None)

    def run(session: Session) -> Written:
        if parent is not None and link is not None:
            parent_id = reach(session, principal, hops[:-1])
            tree.set_links(link.inverse, [Ref(parent_id, "")])
            if tree.reading is not None and parent.type is FEATURE:
                tree.reading.feature = Ref(parent_id, "")
            if parent.type not in (OBSERVATION, FEATURE):
                entities.own(session, principal, parent.type, parent_id)
        return Written(hops[-1].type, entities.create(session, principal, tree), created=True)

    return Work(run, lambda _: empty(201))


# ── bodies ──


def _json_body(request: Request, *, patch: bool = False) -> Any:
    kind = request.media_type
    if kind not in JSON_TYPES and not (patch and kind == PATCH_TYPE):
        raise UnsupportedMediaType(f"The body is '{kind[:60]}'", place="Content-Type", hint="Send application/json.")
    if not request.body:
        raise BadRequest("The body is empty", code="json_syntax", place="/")
    return jsontext.decode(request.body)


def plain_observation(body: Any, hops: tuple[Hop, ...]) -> Observation | None:
    """An Observation whose Datastream is named by the path or by a reference; None for any other form."""
    if not isinstance(body, dict):
        return None
    if len(hops) > 1 and hops[-2].key is not None and hops[-2].type.name.endswith("Datastream"):
        stream_id, multi = hops[-2].key, hops[-2].type is MULTI_DATASTREAM
    else:
        named = [n for n in ("Datastream", "MultiDatastream") if body.get(n) is not None]
        ref = body.get(named[0]) if len(named) == 1 else None
        if not isinstance(ref, dict) or not isinstance(id_ := ref.get("@iot.id"), int) or len(hops) > 1:
            return None
        stream_id, multi = id_, named[0] == "MultiDatastream"
        if isinstance(id_, bool):
            return None
    return Observation(stream_id, multi, _reading(body))


def _reading(body: dict[str, Any]) -> payload.Reading:
    """What most devices send takes the short way; where that refuses, the long way says the place."""
    sent, produced = body.get("phenomenonTime"), body.get("resultTime")
    if body.keys() <= _USUAL and type(sent) is str and "result" in body and (produced is None or type(produced) is str):
        try:
            return payload.simple_reading(sent, body["result"], produced)
        except BadRequest:
            pass
    payload.check_observation(body, "")
    return payload.reading(body)


# ── answers ──


def _metadata(options: Options) -> str:
    return (options.result_metadata or "full").lower()


def _created(request: Request, done: Written, options: Options) -> Answer:
    """201 with the Location of the new entity; the service adds the entity itself as body."""
    headers: list[Header] = []
    if _metadata(options) == "full":
        headers.append((b"location", f"{request.base}/{done.type.plural}({done.id})".encode()))
    return Answer(201, headers, b"")


def _created_observation(request: Request, id_: int, item: Observation, options: Options) -> Answer:
    """201 with the Observation as it was stored, made without reading it back."""
    link = f"{request.base}/Observations({id_})"
    full = _metadata(options) == "full"
    headers: list[Header] = [(b"location", link.encode())] if full else []
    if "return=minimal" in (request.header(b"prefer") or ""):
        return Answer(201, headers, b"")
    return json_answer(201, observation(id_, item, link, full=full), headers)


def observation(id_: int, item: Observation, link: str, *, full: bool) -> dict[str, Any]:
    """The wire form of an Observation from what was sent."""
    found = item.reading
    out: dict[str, Any] = {"@iot.selfLink": link} if full else {}
    out["@iot.id"] = id_
    start, end = found.time_start, found.time_end
    out["phenomenonTime"] = clock.format_instant(start) if end is None else clock.format_interval(start, end)
    out["result"] = result(
        found.result_type, found.result_number, found.result_boolean, found.result_text, found.result_json
    )
    out["resultTime"] = None if found.result_time is None else clock.format_instant(found.result_time)
    if found.result_quality is not None:
        out["resultQuality"] = msgspec.Raw(found.result_quality.encode())
    if found.valid_start is not None and found.valid_end is not None:
        out["validTime"] = clock.format_interval(found.valid_start, found.valid_end)
    if found.parameters is not None:
        out["parameters"] = msgspec.Raw(found.parameters.encode())
    if full:
        stream = "MultiDatastream" if item.multi else "Datastream"
        out[f"{stream}@iot.navigationLink"] = f"{link}/{stream}"
        out["FeatureOfInterest@iot.navigationLink"] = f"{link}/FeatureOfInterest"
    return out
