"""`/administration/jetons/` and `/administration/journal/`: ask the policy, read, hand to a template; actions write.

A new secret stands in the answer to the request that made it, and nowhere else: no redirect, no cache, no session.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from lakou.identity import actions, policy, queries
from lakou.identity.administration.forms import NewTokenForm, RotateForm, ScopeForm
from lakou.identity.journal import actions as journal
from lakou.identity.journal import export as forms_of_export
from lakou.identity.journal import queries as journal_queries
from lakou.identity.journal.acts import ACTS
from lakou.identity.journal.models import JournalRow
from lakou.identity.models import Organisation, Role, Token
from lakou.identity.policy import Action, Actor, Kind, Object
from lakou.identity.policy.requests import actor_of_request
from lakou.kernel.errors import LakouError, NotFound

PAGE = 100
EXPORTED = 20_000
P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Actor, P], HttpResponseBase]
Plain = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def for_actors(view: View[P]) -> Plain[P]:
    """The view with the actor of the request; what the policy or an action refuses becomes a page. Never cached."""

    def wrapped(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            response = view(request, actor_of_request(request), *args, **kwargs)
        except LakouError as error:
            response = render(request, "administration/refused.html", {"error": error}, status=error.status)
            if error.status == 401:
                response["WWW-Authenticate"] = 'Bearer realm="Lakou"'
        response["Cache-Control"] = "no-store"
        return response

    update_wrapper(wrapped, view)
    return wrapped


# ── tokens ──


@require_http_methods(["GET", "HEAD", "POST"])
@for_actors
def tokens(request: HttpRequest, actor: Actor) -> HttpResponse:
    """GET: the tokens that the actor may see. POST: make one; its secret is shown this once."""
    if request.method == "POST":
        return _create(request, actor)
    return _list(request, actor, NewTokenForm(**_allowed(actor)))


def _list(request: HttpRequest, actor: Actor, form: NewTokenForm, status: int = 200) -> HttpResponse:
    seen = [token for token in queries.tokens() if policy.may(actor, Action.READ, object_of(token))]
    may_create = bool(_organisations(actor))
    if not seen and not may_create:
        policy.require(actor, Action.READ, Object(Kind.TOKEN))
    context = {
        "tokens": [_row(token) for token in seen],
        "form": form,
        "may_create": may_create,
        "tab": "tokens",
    }
    return render(request, "administration/tokens.html", context, status=status)


def _create(request: HttpRequest, actor: Actor) -> HttpResponse:
    if not _organisations(actor):
        policy.require(actor, Action.CREATE, Object(Kind.TOKEN))
    form = NewTokenForm(request.POST, **_allowed(actor))
    if form.is_valid():
        given = form.cleaned_data
        organisation = form.organisation()
        policy.require(actor, Action.CREATE, _token_of(organisation, policy.Role(given["role"])))
        try:
            made = actions.create_token(
                name=given["name"],
                role=given["role"],
                things=given.get("things", ()),
                datastreams=given.get("datastreams", ()),
                expires=form.ends(),
                organisation=organisation,
                actor=actor,
                address=_address(request),
            )
        except LakouError as error:
            field = error.place if error.place in form.fields else None
            form.add_error(field, _FRENCH.get((error.error_code, error.place or ""), error.message))
        else:
            return _shown_once(request, made, "Jeton créé")
    return _list(request, actor, form, status=422)


def _allowed(actor: Actor) -> dict[str, Any]:
    """What the form offers: only roles that the actor may give, a scope only where the actor may give one."""
    where = _organisations(actor)
    first = where[0] if where else None
    return {
        "roles": [role for role in Role if policy.may(actor, Action.CREATE, _token_of(first, policy.Role(role)))],
        "organisations": where,
        "may_scope": policy.may(actor, Action.GRANT, Object(Kind.TOKEN)),
    }


def _organisations(actor: Actor) -> list[Organisation | None]:
    """For which organisations the actor may make a token; None is the host, before there is one."""
    if not policy.may_somewhere(actor, Action.CREATE, Kind.TOKEN):
        return []
    every: list[Organisation | None] = list(queries.organisations()) or [None]
    return [one for one in every if policy.may(actor, Action.CREATE, _token_of(one, policy.Role.DEVICE))]


def _token_of(organisation: Organisation | None, role: policy.Role | None = None) -> Object:
    """A token that is not there yet."""
    return Object(Kind.TOKEN, None if organisation is None else organisation.pk, role=role)


_FRENCH = {
    ("conflict", "name"): "Un jeton porte déjà ce nom. Choisissez-en un autre, ou donnez-lui un nouveau secret.",
    ("bad_request", "expires"): "Ce jour est passé.",
}


@require_GET
@for_actors
def token(request: HttpRequest, actor: Actor, number: int) -> HttpResponse:
    """One token: what it may do, and the forms that change it."""
    found = _token(actor, Action.READ, number)
    return _detail(request, actor, found)


@require_POST
@for_actors
def rotate(request: HttpRequest, actor: Actor, number: int) -> HttpResponse:
    """A new secret, shown this once."""
    found = _token(actor, Action.ROTATE, number)
    form = RotateForm(request.POST)
    if not form.is_valid():
        return _detail(request, actor, found, rotating=form, status=422)
    made = actions.renew_token(name=found.name, overlap=form.overlap_time(), actor=actor, address=_address(request))
    return _shown_once(request, made, "Nouveau secret")


@require_POST
@for_actors
def revoke(request: HttpRequest, actor: Actor, number: int) -> HttpResponse:
    """Stop a token, in every process within a second."""
    found = _token(actor, Action.REVOKE, number)
    actions.revoke_token(name=found.name, actor=actor, address=_address(request))
    return redirect("administration:token", number=number)


@require_POST
@for_actors
def scope(request: HttpRequest, actor: Actor, number: int) -> HttpResponse:
    """Set what a token may add Observations to."""
    found = _token(actor, Action.GRANT, number)
    form = ScopeForm(request.POST)
    if not form.is_valid():
        return _detail(request, actor, found, scoping=form, status=422)
    given = form.cleaned_data
    actions.give_token(
        name=found.name,
        things=given["things"],
        datastreams=given["datastreams"],
        actor=actor,
        address=_address(request),
    )
    return redirect("administration:token", number=number)


def object_of(found: Token) -> Object:
    """A token as the policy sees it. Without an organisation it is the host's, whose roles hold everywhere."""
    return Object(
        Kind.TOKEN, found.organisation_id, owner=found.pk, role=policy.Role(found.role), label=f"token {found.pk}"
    )


def _token(actor: Actor, action: Action, number: int) -> Token:
    found = queries.token(number)
    if found is None:
        # Refused as somebody else's would be, so that numbers tell nothing.
        policy.require(actor, action, Object(Kind.TOKEN, owner=-1))
        raise NotFound(f"There is no token {number}")
    policy.require(actor, action, object_of(found))
    return found


def _detail(
    request: HttpRequest,
    actor: Actor,
    found: Token,
    *,
    rotating: RotateForm | None = None,
    scoping: ScopeForm | None = None,
    status: int = 200,
) -> HttpResponse:
    row = _row(found)
    obj = object_of(found)
    given = {"things": _ids(row["things"]), "datastreams": _ids(row["datastreams"])}
    context = {
        "token": row,
        "rotating": rotating or RotateForm(),
        "scoping": scoping or ScopeForm(initial=given),
        "may_rotate": policy.may(actor, Action.ROTATE, obj) and row["state"] == "valid",
        "may_revoke": policy.may(actor, Action.REVOKE, obj) and row["state"] != "revoked",
        "may_change": policy.may(actor, Action.GRANT, obj) and row["state"] != "revoked",
        "tab": "tokens",
    }
    return render(request, "administration/token.html", context, status=status)


def _shown_once(request: HttpRequest, made: actions.NewToken, title: str) -> HttpResponse:
    context = {"token": _row(made.token), "secret": made.text, "what": title, "tab": "tokens"}
    return render(request, "administration/secret.html", context)


def _row(found: Token) -> dict[str, Any]:
    now = datetime.now(UTC)
    given: dict[str, list[int]] = {"Thing": [], "Datastream": []}
    for grant in found.grants.all():
        given[grant.entity_type].append(grant.entity_id)
    overlaps = found.previous_until is not None and found.previous_until > now
    expired = found.expires is not None and found.expires <= now
    return {
        "number": found.pk,
        "name": found.name,
        "role": found.get_role_display(),
        "organisation": found.organisation,
        "things": given["Thing"],
        "datastreams": given["Datastream"],
        "reads": [one.title for one in found.reads.all()],
        "created": found.created,
        "expires": found.expires,
        "revoked": found.revoked,
        "last_used": found.last_used,
        "old_until": found.previous_until if overlaps else None,
        "state": "revoked" if found.revoked else "expired" if expired else "valid",
    }


def _ids(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


# ── the journal ──


@require_GET
@for_actors
def journal_page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The journal, latest rows first; `?acte=` one act, `?avant=` rows below a number."""
    policy.require(actor, Action.READ, Object(Kind.JOURNAL))
    act = request.GET.get("acte", "")
    act = act if act in ACTS else ""
    below = request.GET.get("avant", "")
    start = int(below) if below.isascii() and below.isdigit() and len(below) < 19 else None
    rows = list(journal_queries.rows(act=act, below=start).order_by("-seq")[: PAGE + 1])
    context = {
        "rows": _told(rows[:PAGE]),
        "older": rows[PAGE - 1].seq if len(rows) > PAGE else None,
        "is_latest": start is None,
        "act": act,
        "acts": sorted(ACTS.values(), key=lambda one: one.words),
        "head": journal_queries.head(),
        "tab": "journal",
    }
    return render(request, "administration/journal.html", context)


def _told(rows: list[JournalRow]) -> list[dict[str, Any]]:
    """Rows with their act in words. People stand in them as numbers; here they get the name that they have today."""
    numbers = {row.seq: (_number(row.actor_name), _number(row.subject)) for row in rows}
    names = queries.names_of({one for pair in numbers.values() for one in pair if one})
    return [
        {
            "row": row,
            "words": ACTS[row.act].words if row.act in ACTS else row.act,
            "who": names.get(numbers[row.seq][0], ""),
            "whom": names.get(numbers[row.seq][1], ""),
        }
        for row in rows
    ]


def _number(word: str) -> int:
    """The number in `person:<number>`, else 0."""
    kind, _, number = word.partition(":")
    return int(number) if kind == "person" and number.isascii() and number.isdigit() and len(number) < 19 else 0


@require_POST
@for_actors
def journal_export(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """The latest rows, oldest first, one a line; the export is itself an act."""
    policy.require(actor, Action.EXPORT, Object(Kind.JOURNAL))
    form = "syslog" if request.POST.get("forme") == "syslog" else "ecs"
    write = forms_of_export.syslog if form == "syslog" else forms_of_export.ecs
    end = journal_queries.head().rows
    rows = list(journal_queries.rows(below=end + 1).order_by("-seq")[:EXPORTED])
    detail = {"rows": len(rows), "upto": end}
    journal.record(act="journal.exported", actor=actor, subject=form, detail=detail, address=_address(request))
    text = "".join(write(row) + "\n" for row in reversed(rows))
    kind, suffix = ("text/plain; charset=utf-8", "log") if form == "syslog" else ("application/x-ndjson", "ndjson")
    response = HttpResponse(text, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="journal.{suffix}"'
    return response


def _address(request: HttpRequest) -> str | None:
    found = request.META.get("REMOTE_ADDR")
    return str(found) if found else None
