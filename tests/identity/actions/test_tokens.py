"""Making, renewing and revoking tokens."""

from pathlib import Path

import pytest

from lakou.identity import actions, queries, secret
from lakou.identity.models import Token
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
