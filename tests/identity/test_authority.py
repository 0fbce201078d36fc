"""From header to principal."""

import base64
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from lakou.identity import actions
from lakou.identity.authority import LOOKUPS_PER_S, TokenAuthority
from lakou.identity.models import Token
from lakou.identity.scopes import UNCLAIMED
from lakou.kernel.errors import Unauthorized
from lakou.sensorthings.access import ANONYMOUS, Changes, Principal

pytestmark = pytest.mark.usefixtures("civic")


@pytest.fixture
def authority() -> Iterator[TokenAuthority]:
    started = TokenAuthority()
    started.start()
    yield started
    started.stop()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def within(seconds: float, claim: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if claim():
            return True
        time.sleep(0.02)
    return False


def accepts(authority: TokenAuthority, header: str) -> bool:
    try:
        authority.principal(header)
    except Unauthorized:
        return False
    return True


def test_no_header_is_anonymous(authority: TokenAuthority) -> None:
    assert authority.principal(None) is ANONYMOUS


def test_bearer_and_basic_give_the_same_principal() -> None:
    made = actions.create_token(name="gauge", role="device")
    authority = TokenAuthority()
    authority.refresh()
    bearer = authority.principal(f"Bearer {made.text}")
    assert bearer == Principal(
        id=made.token.pk,
        name="gauge",
        role="device",
        reads=frozenset({0, made.token.home_id}),
        home=made.token.home_id,
        changes=Changes.OWN,
    )
    assert authority.principal(f"bearer  {made.text} ") == bearer
    assert authority.principal(basic("gauge", made.text)) == bearer
    assert authority.principal(basic("anything", made.text)) == bearer


def test_agents_see_unclaimed_devices_and_admins_see_all() -> None:
    agent = actions.create_token(name="agent", role="agent")
    admin = actions.create_token(name="admin", role="admin")
    authority = TokenAuthority()
    authority.refresh()
    assert authority.principal(f"Bearer {agent.text}").reads == frozenset({0, UNCLAIMED, agent.token.home_id})
    assert authority.principal(f"Bearer {admin.text}").reads is None


def test_a_token_reads_what_it_was_granted() -> None:
    gauge = actions.create_token(name="gauge", role="device")
    desk = actions.create_token(name="desk", role="device", reads=["gauge"])
    authority = TokenAuthority()
    authority.refresh()
    assert gauge.token.home_id in (authority.principal(f"Bearer {desk.text}").reads or ())


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer lk_1_short",
        "Basic",
        "Basic !!!",
        "Basic " + "A" * 5000,
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Digest abc",
        "lk_1_" + "a" * 43,
        "Bearer lk_99_" + "a" * 43,
        "Bearer é",
        "Basic é",
    ],
)
def test_another_header_is_refused_with_a_hint(authority: TokenAuthority, header: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        authority.principal(header)
    assert caught.value.hint
    assert caught.value.place == "Authorization"


def test_the_secret_of_another_token_does_not_open(authority: TokenAuthority) -> None:
    one = actions.create_token(name="one", role="device")
    two = actions.create_token(name="two", role="device")
    mixed = f"lk_{one.token.pk}_" + two.text.rsplit("_", 1)[1]
    assert not accepts(authority, f"Bearer {mixed}")


def test_a_new_token_works_and_a_revoked_one_stops_within_a_second(authority: TokenAuthority) -> None:
    made = actions.create_token(name="late", role="agent")
    header = f"Bearer {made.text}"
    assert within(1, lambda: accepts(authority, header))
    actions.revoke_token(name="late")
    assert within(1, lambda: not accepts(authority, header))


def test_a_renewed_token_replaces_the_old_secret_within_a_second(authority: TokenAuthority) -> None:
    old = actions.create_token(name="late", role="agent")
    assert within(1, lambda: accepts(authority, f"Bearer {old.text}"))
    new = actions.renew_token(name="late")
    assert within(1, lambda: accepts(authority, f"Bearer {new.text}") and not accepts(authority, f"Bearer {old.text}"))


def test_a_flood_of_unknown_tokens_is_answered_from_memory(authority: TokenAuthority) -> None:
    looked = 0
    original = authority._look_again

    def counting() -> bool:
        nonlocal looked
        found = original()
        looked += found
        return found

    authority._look_again = counting  # type: ignore[method-assign]
    begun = time.monotonic()
    for number in range(1, 3001):
        assert not accepts(authority, f"Bearer lk_{number}_" + "a" * 43)
    assert looked <= LOOKUPS_PER_S * (time.monotonic() - begun + 1)
    assert time.monotonic() - begun < 3


def test_the_last_use_is_written_down(authority: TokenAuthority) -> None:
    made = actions.create_token(name="gauge", role="device")
    assert within(1, lambda: accepts(authority, f"Bearer {made.text}"))
    authority.stop()
    made.token.refresh_from_db()
    assert made.token.last_used is not None


def test_a_token_ends_when_it_expires() -> None:
    made = actions.create_token(name="gauge", role="device", expires=datetime.now(UTC) + timedelta(seconds=0.3))
    authority = TokenAuthority()
    authority.refresh()
    assert accepts(authority, f"Bearer {made.text}")
    assert within(2, lambda: not accepts(authority, f"Bearer {made.text}"))


def test_after_a_rotation_the_old_secret_works_for_the_overlap_and_stops_with_a_revocation() -> None:
    old = actions.create_token(name="gauge", role="device").text
    new = actions.renew_token(name="gauge", overlap=timedelta(hours=1)).text
    authority = TokenAuthority()
    authority.refresh()
    assert accepts(authority, f"Bearer {old}")
    assert accepts(authority, f"Bearer {new}")
    Token.objects.update(previous_until=datetime.now(UTC) - timedelta(seconds=1), epoch=10**6)
    late = TokenAuthority()
    late.refresh()
    assert (accepts(late, f"Bearer {old}"), accepts(late, f"Bearer {new}")) == (False, True)
    actions.revoke_token(name="gauge")
    authority.refresh()
    assert not accepts(authority, f"Bearer {old}")
    assert not accepts(authority, f"Bearer {new}")


def test_without_an_overlap_and_after_a_revocation_the_old_secret_never_comes_back() -> None:
    old = actions.create_token(name="gauge", role="device").text
    actions.revoke_token(name="gauge")
    actions.renew_token(name="gauge", overlap=timedelta(hours=1))
    authority = TokenAuthority()
    authority.refresh()
    assert not accepts(authority, f"Bearer {old}")


def test_a_scoped_token_is_known_with_what_it_was_given() -> None:
    made = actions.create_token(name="gauge", role="device", things=[3], datastreams=[7, 8])
    authority = TokenAuthority()
    authority.refresh()
    found = authority.principal(f"Bearer {made.text}")
    assert (found.things, found.streams, found.changes) == ({3}, {7, 8}, Changes.GIVEN)
    actions.give_token(name="gauge", things=[], datastreams=[])
    authority.refresh()
    assert authority.principal(f"Bearer {made.text}").changes is Changes.OWN


@pytest.mark.parametrize(
    "forged",
    [
        "lk_{n}_" + "0" * 43, "lk_{n}_" + "a" * 42, "lk_0{n}_" + "a" * 43, "lk_99999_{s}", "LK_{n}_{s}",
        "lk_{n}_{s}x", "lk_{n}_{s}\x00", "lk_ {n}_{s}", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "' OR 1=1 --",
    ],
)  # fmt: skip
def test_forged_tokens_are_refused(forged: str) -> None:
    made = actions.create_token(name="gauge", role="admin")
    authority = TokenAuthority()
    authority.refresh()
    text = forged.format(n=made.token.pk, s=made.text.rpartition("_")[2])
    for header in (f"Bearer {text}", basic("gauge", text)):
        assert not accepts(authority, header), header
