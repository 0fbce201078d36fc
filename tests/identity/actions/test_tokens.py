"""Making, renewing and revoking tokens."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakou.identity import actions, queries, secret
from lakou.identity.journal import queries as journal
from lakou.identity.models import Token
from lakou.identity.policy import Actor
from lakou.kernel.errors import BadRequest, Conflict, NotFound

pytestmark = pytest.mark.usefixtures("civic")


def test_only_the_digest_of_a_token_is_stored(civic: Path) -> None:
    made = actions.create_token(name="gauge", role="device")
    stored = Token.objects.get(name="gauge")
    assert stored.sha256 == secret.digest(made.text)
    files = [civic, civic.with_name("civic.db-wal")]
    assert not any(made.text.encode() in file.read_bytes() for file in files if file.exists())


def test_each_token_has_a_scope_of_its_own() -> None:
    first = actions.create_token(name="a", role="device").token
    second = actions.create_token(name="b", role="device").token
    assert len({first.home_id, second.home_id, 0, 1}) == 4


def test_each_change_raises_the_epoch() -> None:
    seen = [queries.current_epoch()]
    actions.create_token(name="a", role="agent")
    seen.append(queries.current_epoch())
    actions.renew_token(name="a")
    seen.append(queries.current_epoch())
    actions.revoke_token(name="a")
    seen.append(queries.current_epoch())
    assert seen == sorted(set(seen))


def test_a_name_is_taken_once_even_by_a_revoked_token() -> None:
    actions.create_token(name="a", role="agent")
    actions.revoke_token(name="a")
    with pytest.raises(Conflict) as caught:
        actions.create_token(name="a", role="agent")
    assert "renew" in (caught.value.hint or "")


def test_renewing_keeps_number_and_scope_and_changes_the_secret() -> None:
    made = actions.create_token(name="a", role="agent")
    actions.revoke_token(name="a")
    renewed = actions.renew_token(name="a")
    assert (renewed.token.pk, renewed.token.home_id) == (made.token.pk, made.token.home_id)
    assert renewed.text != made.text
    assert Token.objects.get(name="a").revoked is None


def test_revoking_twice_keeps_the_first_time() -> None:
    actions.create_token(name="a", role="agent")
    first = actions.revoke_token(name="a").revoked
    assert actions.revoke_token(name="a").revoked == first


@pytest.mark.parametrize("name", ["", " a", "a" * 81, "a\nb", "a:b", "<b>", "\x00"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        actions.create_token(name=name, role="agent")
    assert caught.value.place == "name"


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(BadRequest):
        actions.create_token(name="a", role="root")


def test_an_unknown_token_cannot_be_read_from_renewed_or_revoked() -> None:
    with pytest.raises(NotFound):
        actions.create_token(name="a", role="agent", reads=["nobody"])
    assert not Token.objects.exists()
    with pytest.raises(NotFound):
        actions.renew_token(name="nobody")
    with pytest.raises(NotFound):
        actions.revoke_token(name="nobody")


def test_every_act_on_a_token_leaves_its_row_in_the_journal() -> None:
    before = journal.head().rows
    anne = Actor(name="Anne")
    actions.create_token(name="gauge", role="device", things=[3], actor=anne, address="192.0.2.1")
    actions.renew_token(name="gauge", overlap=timedelta(hours=1), actor=anne)
    actions.give_token(name="gauge", things=[], datastreams=[4, 5], actor=anne)
    actions.revoke_token(name="gauge", actor=anne)
    actions.revoke_token(name="gauge", actor=anne)
    rows = list(journal.rows().filter(seq__gt=before))
    assert [row.act for row in rows] == ["token.created", "token.rotated", "token.scoped", "token.revoked"]
    assert {(row.actor_name, row.subject) for row in rows} == {("Anne", "gauge")}
    assert rows[0].address == "192.0.2.1"
    assert '"things":[3]' in rows[0].detail
    assert not any("lk_" in row.detail for row in rows)


def test_a_refused_act_leaves_no_row() -> None:
    before = journal.head()
    with pytest.raises(NotFound):
        actions.create_token(name="a", role="agent", reads=["nobody"])
    assert journal.head() == before


@pytest.mark.parametrize("end", [timedelta(0), timedelta(seconds=-1)])
def test_a_token_cannot_end_before_it_begins(end: timedelta) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    with pytest.raises(BadRequest):
        actions.create_token(name="a", role="agent", expires=now + end, now=now)


def test_an_expired_token_gets_a_new_secret_only_with_a_new_end() -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    actions.create_token(name="a", role="agent", expires=now + timedelta(days=1), now=now)
    later = now + timedelta(days=2)
    with pytest.raises(Conflict):
        actions.renew_token(name="a", now=later)
    assert actions.renew_token(name="a", expires=later + timedelta(days=1), now=later).token.expires is not None


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=31)])
def test_the_old_secret_is_kept_for_a_bounded_time(overlap: timedelta) -> None:
    actions.create_token(name="a", role="agent")
    with pytest.raises(BadRequest):
        actions.renew_token(name="a", overlap=overlap)


@pytest.mark.parametrize("bad", [0, -1, 2**63])
def test_what_is_no_id_is_not_given(bad: int) -> None:
    with pytest.raises(BadRequest):
        actions.create_token(name="a", role="device", datastreams=[bad])
    assert not Token.objects.exists()
