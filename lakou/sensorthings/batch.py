"""$batch: several requests in one, as multipart (18-088 §11) or JSON (FROST's extension JsonBatchRequest).

Parts are done in order. A change set (atomicity group) is one commit: all of it, or one error. Entities made
earlier are named `$<Content-ID>` in URLs and in `@iot.id` members.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest, LakouError
from lakou.sensorthings import multipart
from lakou.sensorthings.request import Answer, Request, error_answer, json_answer
from lakou.sensorthings.store.session import Session
from lakou.sensorthings.work import Work, Written

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

_ROOT = "/sta/v1.1"
_REFERENCE = re.compile(r"^\$([^/?$]+)")
_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


class Part(msgspec.Struct):
    """One request of a batch. `id` is its Content-ID, `group` its change set."""

    method: str
    url: str
    headers: dict[bytes, bytes]
    body: bytes
    id: str | None = None
    group: str | None = None


class Done(msgspec.Struct):
    """The answer to a part, and what it made."""

    part: Part
    answer: Answer


async def answer(service: Service, request: Request) -> Answer:
    """The answer to a whole batch, in the form it came in."""
    if request.media_type == "application/json":
        return await _json(service, request)
    if request.media_type == "multipart/mixed":
        return await _multipart(service, request)
    raise BadRequest(
        "A batch is multipart/mixed or application/json", place="Content-Type", code="batch", hint="See 18-088 §11."
    )


# ── the two forms ──


async def _json(service: Service, request: Request) -> Answer:
    body = jsontext.decode(request.body)
    listed = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise BadRequest("A JSON batch has an array 'requests'", place="/requests", code="batch")
    _check_size(len(listed), service)
    parts = [_json_part(item, f"/requests/{n}") for n, item in enumerate(listed)]
    runs: list[list[Part]] = []
    for part in parts:
        if part.group is not None and runs and runs[-1][0].group == part.group:
            runs[-1].append(part)
        else:
            runs.append([part])
    made: dict[str, str] = {}
    responses: list[dict[str, Any]] = []
    for run in runs:
        if run[0].group is None:
            done = [Done(run[0], await _single(service, request, run[0], made))]
        else:
            done = await _change_set(service, request, run, made)
        responses.extend(_json_response(d) for d in done)
    return json_answer(200, {"responses": responses})


def _json_part(item: Any, place: str) -> Part:
    if not isinstance(item, dict):
        raise BadRequest("A request is an object", place=place, code="batch")
    id_, method, url = item.get("id"), item.get("method"), item.get("url")
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise BadRequest("A request needs a method", place=f"{place}/method", code="batch", hint=", ".join(_METHODS))
    if not isinstance(url, str):
        raise BadRequest("A request needs a url", place=f"{place}/url", code="batch")
    if isinstance(id_, bool) or not isinstance(id_, str | int):
        raise BadRequest("A request needs an id", place=f"{place}/id", code="batch")
    group = item.get("atomicityGroup")
    if group is not None and not isinstance(group, str):
        raise BadRequest("An atomicityGroup is a text", place=f"{place}/atomicityGroup", code="batch")
    sent = item.get("headers") or {}
    if not isinstance(sent, dict) or not all(isinstance(v, str) for v in sent.values()):
        raise BadRequest("Headers are texts", place=f"{place}/headers", code="batch")
    headers = {n.lower().encode(): v.encode() for n, v in sent.items()}
    body = b"" if "body" not in item else jsontext.encode(item["body"])
    if body:
        headers.setdefault(b"content-type", b"application/json")
    return Part(method.upper(), url, headers, body, str(id_), group)


def _json_response(done: Done) -> dict[str, Any]:
    answer = done.answer
    out: dict[str, Any] = {"id": done.part.id, "status": answer.status}
    location = answer.header(b"location")
    if location is not None:
        out["location"] = location
    etag = answer.header(b"etag")
    if etag is not None:
        out["headers"] = {"ETag": etag}
    if answer.body:
        is_json = (answer.header(b"content-type") or "").startswith("application/json")
        out["body"] = msgspec.Raw(answer.body) if is_json else answer.body.decode("utf-8", "replace")
    return out


async def _multipart(service: Service, request: Request) -> Answer:
    parts = multipart.split(request.body, multipart.boundary(request.header(b"content-type") or ""))
    _check_size(len(parts), service)
    mark = f"batch_{secrets.token_hex(12)}"
    out: list[bytes] = []
    made: dict[str, str] = {}
    for part in parts:
        kind = part.header("content-type").partition(";")[0].strip().lower()
        if kind == "multipart/mixed":
            out.append(await _multipart_set(service, request, part, made))
        else:
            found = _http_part(part)
            if isinstance(found, Part):
                found = Done(found, await _single(service, request, found, made))
            out.append(_http_response(found))
    body = multipart.join(out, mark)
    return Answer(200, [(b"content-type", f"multipart/mixed;boundary={mark}".encode())], body)


async def _multipart_set(service: Service, request: Request, part: multipart.Piece, made: dict[str, str]) -> bytes:
    """One change set: its answers as a nested multipart, or one error part when anything failed."""
    try:
        pieces = multipart.split(part.body, multipart.boundary(part.header("content-type")))
        _check_size(len(pieces), service)
        found = [_http_part(piece) for piece in pieces]
        for item in found:
            if isinstance(item, Done):
                return _http_response(item)
        parts = [item for item in found if isinstance(item, Part)]
        if any(p.method == "GET" for p in parts):
            raise BadRequest("A change set only changes", code="batch", hint="Put GET outside of it.")
        done = await _change_set(service, request, parts, made)
    except LakouError as error:
        return _http_response(Done(Part("", "", {}, b""), error_answer(error)))
    if done and done[0].answer.status >= 400:
        return _http_response(Done(Part("", "", {}, b""), done[0].answer))
    mark = f"changeset_{secrets.token_hex(12)}"
    body = multipart.join([_http_response(d) for d in done], mark)
    return f"Content-Type: multipart/mixed;boundary={mark}\r\n\r\n".encode() + body


def _http_part(piece: multipart.Piece) -> Part | Done:
    """The request inside a part; a part that cannot be read is answered in its place."""
    id_ = piece.header("content-id") or None
    try:
        method, url, headers, body = multipart.http_request(piece.body)
        if method not in _METHODS:
            raise BadRequest(f"There is no method {method[:20]}", code="batch")
    except LakouError as error:
        return Done(Part("", "", {}, b"", id_), error_answer(error))
    return Part(method, url, headers, body, id_)


def _http_response(done: Done) -> bytes:
    return multipart.http_response(done.part.id, done.answer)


def _check_size(count: int, service: Service) -> None:
    limit = service.limits.batch_requests
    if count > limit:
        raise BadRequest(f"A batch has at most {limit} requests", code="batch")


# ── doing ──


def _request(whole: Request, part: Part, made: dict[str, str]) -> Request:
    """The request of a part: URL made relative to the root, references put in."""
    url = part.url.strip()
    split = urlsplit(url)
    path = split.path if split.scheme or url.startswith("/") else url.partition("?")[0]
    if path.startswith(_ROOT):
        path = path[len(_ROOT) :]
    elif split.scheme and _ROOT in path:
        path = path.partition(_ROOT)[2]
    path = path.lstrip("/")
    reference = _REFERENCE.match(path)
    if reference and reference.group(1) in made:
        path = made[reference.group(1)] + path[reference.end() :]
    query = url.partition("?")[2].partition("#")[0]
    body = part.body
    if made and body and b'"$' in body:
        body = jsontext.encode(_with_ids(jsontext.decode(body), made))
    headers = {n: v for n, v in part.headers.items() if n != b"authorization"}
    return Request(part.method, path, query, headers, body, whole.principal, whole.base, client=whole.client)


def _with_ids(value: Any, made: dict[str, str]) -> Any:
    """Replace `"@iot.id": "$x"` by the id of what part x made."""
    if isinstance(value, list):
        return [_with_ids(v, made) for v in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for name, item in value.items():
        if name.endswith("@iot.id") and isinstance(item, str) and item[:1] == "$" and item[1:] in made:
            out[name] = int(made[item[1:]].partition("(")[2].rstrip(")"))
        else:
            out[name] = _with_ids(item, made)
    return out


async def _single(service: Service, whole: Request, part: Part, made: dict[str, str]) -> Answer:
    try:
        request = _request(whole, part, made)
        if request.path.strip("/") in ("$batch", "%24batch"):
            raise BadRequest("A batch holds no batch", code="batch")
        found = await service.handle(request)
    except LakouError as error:
        return error_answer(error)
    _remember(part, found, made)
    return found


def _remember(part: Part, found: Answer, made: dict[str, str]) -> None:
    if part.id is None or found.status >= 300:
        return
    location = found.header(b"location")
    if location is not None:
        made[part.id] = location.rpartition("/")[2]
    elif part.method == "GET" and found.body:
        entity = jsontext.decode(found.body)
        link = entity.get("@iot.selfLink") if isinstance(entity, dict) else None
        if isinstance(link, str):
            made[part.id] = link.rpartition("/")[2]


async def _change_set(service: Service, whole: Request, parts: list[Part], made: dict[str, str]) -> list[Done]:
    """All parts in one commit; when one fails, each has the answer of that failure."""
    prepared: list[tuple[Part, Request, Work]] = []

    def run(session: Session) -> list[Any]:
        prepared.clear()
        known = dict(made)
        outcomes: list[Any] = []
        for part in parts:
            request = _request(whole, part, known)
            work = service.prepare(request)
            outcome = work.run(session)
            if isinstance(outcome, int):
                outcome = session.stored_id(outcome)
            if isinstance(outcome, Written) and outcome.more:
                raise BadRequest("A deletion is too large for a change set", code="batch")
            if part.id is not None:
                name, id_ = ("Observations", outcome) if isinstance(outcome, int) else (outcome.type.plural, outcome.id)
                known[part.id] = f"{name}({id_})"
            outcomes.append(outcome)
            prepared.append((part, request, work))
        return outcomes

    try:
        outcomes = await service.submit(Work(run, lambda done: done))
    except LakouError as error:
        service.note_denial(whole.principal, error, whole.client, "sensorthings")
        return [Done(part, error_answer(error)) for part in parts]
    done: list[Done] = []
    for (part, request, work), outcome in zip(prepared, outcomes, strict=True):
        found = work.answer(outcome)
        shown = await service.shown(request, outcome, found) if request.method == "POST" else found
        _remember(part, shown, made)
        done.append(Done(part, shown))
    return done
