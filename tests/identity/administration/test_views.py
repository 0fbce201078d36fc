"""The pages of tokens and of the journal, as those meet them who may and who may not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.test import Client

from lakou.identity import actions, authority
from lakou.identity.journal import queries as journal
from lakou.identity.models import Token
from lakou.identity.policy import Actor, ActorKind, Grant, Role, requests
from lakou.sensorthings.access import Principal

pytestmark = pytest.mark.usefixtures("civic")

HEAD = Actor(kind=ActorKind.PERSON, id=1, name="Aline", grants=frozenset({Grant(Role.ADMINISTRATOR)}), mfa=True)
LIST = "/administration/jetons/"
SECRET = re.compile(r"lk_\d+_[0-9A-Za-z]{43}")


class Door:
    """Who comes in: the pages ask for the person of a request as they will when sign-on is there."""

    def __init__(self) -> None:
        self.person: Actor | None = None
        self.client = Client()

    def as_(self, person: Actor | None) -> Client:
        self.person = person
        return self.client


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    before = requests._find_person
    requests.find_people_with(lambda request: made.person)
    yield made
    requests.find_people_with(before)


def known(text: str) -> Principal:
    """Who sends this token, as a process that has just started sees it."""
    tokens = authority.TokenAuthority()
    tokens.refresh()
    return tokens.principal(f"Bearer {text}")


def number(name: str) -> int:
    return Token.objects.get(name=name).pk


def test_a_token_is_made_shown_once_and_never_again(door: Door) -> None:
    web = door.as_(HEAD)
    given = {"name": "limni-12", "role": "device", "things": "3, 4", "datastreams": "", "expires": "2031-01-31"}
    answer = web.post(LIST, given)
    (text,) = set(SECRET.findall(answer.content.decode()))
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    found = known(text)
    assert (found.name, found.things) == ("limni-12", {3, 4})
    for page in (LIST, f"{LIST}{number('limni-12')}/", "/administration/journal/"):
        shown = web.get(page).content.decode()
        assert "limni-12" in shown
        assert not SECRET.search(shown)
    assert Token.objects.get(name="limni-12").expires.isoformat() == "2031-02-01T04:00:00+00:00"
    row = journal.rows().last()
    assert row is not None
    assert (row.act, row.actor_name, row.address) == ("token.created", "Aline", "127.0.0.1")


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "<b>"), ("role", "king"), ("things", "1,x"), ("things", "0"), ("expires", "2001-01-01")],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_made(door: Door, field: str, value: str) -> None:
    given = {"name": "a", "role": "device", "things": "", "datastreams": "", "expires": ""} | {field: value}
    answer = door.as_(HEAD).post(LIST, given)
    assert answer.status_code == 422
    assert "À corriger" in answer.content.decode()
    assert not Token.objects.exists()


def test_a_name_that_is_taken_is_refused_in_french(door: Door) -> None:
    actions.create_token(name="a", role="device")
    answer = door.as_(HEAD).post(LIST, {"name": "a", "role": "device"})
    assert "porte déjà ce nom" in answer.content.decode()


def test_a_token_is_rotated_scoped_and_revoked(door: Door) -> None:
    old = actions.create_token(name="a", role="device").text
    web, page = door.as_(HEAD), f"{LIST}{number('a')}/"
    new = SECRET.findall(web.post(f"{page}secret/", {"overlap": "3600"}).content.decode())[0]
    assert known(old) == known(new)
    assert "Ancien secret" in web.get(page).content.decode()
    assert web.post(f"{page}portee/", {"things": "", "datastreams": "7 8"}).status_code == 302
    assert known(new).streams == {7, 8}
    assert web.post(f"{page}portee/", {"things": "x"}).status_code == 422
    assert web.post(f"{page}secret/", {"overlap": "99999999"}).status_code == 422
    assert web.post(f"{page}revoquer/").status_code == 302
    shown = web.get(page).content.decode()
    assert "révoqué" in shown
    assert "<form" not in shown.partition("<main")[2]


# ── who may ──

PAGES = [
    ("GET", LIST), ("POST", LIST), ("GET", LIST + "{n}/"), ("POST", LIST + "{n}/secret/"),
    ("POST", LIST + "{n}/revoquer/"), ("POST", LIST + "{n}/portee/"),
    ("GET", "/administration/journal/"), ("POST", "/administration/journal/export/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "page"), PAGES)
def test_only_who_may_gets_in(door: Door, method: str, page: str) -> None:
    actions.create_token(name="a", role="device")
    before = Token.objects.values().get(name="a")
    target = page.format(n=number("a"))
    others = replace(HEAD, grants=frozenset({Grant(Role.ADMINISTRATOR, 5)}))
    citizen = replace(HEAD, grants=frozenset())
    for person, allowed in (
        (None, {401}),
        (citizen, {403, 404}),
        (others, {403, 404}),
        (replace(HEAD, mfa=False), {403, 404}),
    ):
        answer = door.as_(person).generic(method, target)
        assert answer.status_code in allowed, (person, answer.status_code)
        assert Token.objects.values().get(name="a") == before
    assert door.as_(HEAD).generic(method, target).status_code in (200, 302, 422)


def test_another_ones_token_is_as_one_that_is_not_there(door: Door) -> None:
    actions.create_token(name="mine", role="device")
    actions.create_token(name="theirs", role="device")
    owner = Actor(
        kind=ActorKind.PERSON, id=2, name="Odile", grants=frozenset({Grant(Role.DEVICE_OWNER, 3)}),
        owners=frozenset({number("mine")}),
    )  # fmt: skip
    web = door.as_(owner)
    shown = web.get(LIST).content.decode()
    assert ("mine" in shown, "theirs" in shown) == (True, False)
    assert web.post(f"{LIST}{number('mine')}/secret/", {"overlap": "0"}).status_code == 200
    assert web.post(f"{LIST}{number('mine')}/portee/", {}).status_code == 403
    for path in (f"{LIST}{number('theirs')}/", f"{LIST}999/"):
        assert web.get(path).status_code == 404
    assert web.post(f"{LIST}{number('theirs')}/revoquer/").status_code == 404


def test_a_form_without_its_csrf_token_does_nothing(door: Door) -> None:
    door.person = HEAD
    assert Client(enforce_csrf_checks=True).post(LIST, {"name": "a", "role": "device"}).status_code == 403
    assert not Token.objects.exists()


def test_a_bad_token_in_the_header_is_refused_on_pages_too(door: Door) -> None:
    answer = door.as_(None).get(LIST, headers={"Authorization": "Bearer lk_1_" + "a" * 43})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="Lakou"')


# ── the journal ──


def test_the_journal_is_read_page_by_page_and_by_act(door: Door) -> None:
    for n in range(105):
        actions.create_token(name=f"t{n}", role="device")
    actions.revoke_token(name="t3")
    web = door.as_(HEAD)
    first = web.get("/administration/journal/").content.decode()
    older = re.search(r'href="(\?acte=&amp;avant=\d+)"', first)
    assert older is not None
    assert first.count("<tr>") == 101
    assert web.get("/administration/journal/" + older[1].replace("&amp;", "&")).content.decode().count("<tr>") > 5
    assert (
        "Création" not in web.get("/administration/journal/?acte=token.revoked").content.decode().partition("<tbody")[2]
    )
    for odd in ("?acte=%00", "?avant=x", "?avant=" + "9" * 30):
        assert web.get("/administration/journal/" + odd).status_code == 200


def test_an_export_is_a_file_and_an_act(door: Door) -> None:
    actions.create_token(name="a", role="device")
    answer = door.as_(HEAD).post("/administration/journal/export/", {"forme": "ecs"})
    lines = [json.loads(line) for line in answer.content.decode().splitlines()]
    assert lines[-1]["event"]["action"] == "token.created"
    assert "attachment" in answer["Content-Disposition"]
    assert journal.rows().last().act == "journal.exported"  # type: ignore[union-attr]
    answer = door.as_(HEAD).post("/administration/journal/export/", {"forme": "syslog"})
    assert answer.content.decode().splitlines()[-1].startswith("<109>1 ")


# ── nobody gives more than they have ──

STEWARD = Actor(kind=ActorKind.PERSON, id=3, name="Sonia", grants=frozenset({Grant(Role.DATA_STEWARD)}), mfa=True)


def test_a_steward_makes_tokens_of_devices_only_and_gives_no_scope(door: Door) -> None:
    web = door.as_(STEWARD)
    shown = web.get(LIST).content.decode()
    assert ('value="device"' in shown, 'value="agent"' in shown, "id_things" in shown) == (True, False, False)
    for role in ("agent", "admin"):
        assert web.post(LIST, {"name": "a", "role": role}).status_code == 422
    assert not Token.objects.exists()
    assert web.post(LIST, {"name": "a", "role": "device", "things": "1"}).status_code == 200
    assert list(Token.objects.get(name="a").grants.all()) == []
    assert web.post(f"{LIST}{number('a')}/portee/", {"things": "1"}).status_code == 403


@pytest.mark.parametrize("role", ["agent", "admin"])
def test_a_steward_gets_no_secret_of_a_token_that_reaches_further(door: Door, role: str) -> None:
    actions.create_token(name="a", role=role)
    web, page = door.as_(STEWARD), f"{LIST}{number('a')}/"
    shown = web.get(page).content.decode().partition("<main")[2]
    assert "<form" not in shown
    for act in ("secret", "revoquer", "portee"):
        assert web.post(f"{page}{act}/", {"overlap": "0"}).status_code == 403
