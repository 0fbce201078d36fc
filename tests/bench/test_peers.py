"""Peers are measured by the same work; our own product stands in for one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.peers import Comparison, itself, peer
from bench.places import Folders
from bench.promises import PEER
from bench.server import product
from bench.session import Settings


def test_a_peer_is_named_by_url_and_signs_in_as_the_environment_says() -> None:
    environment = {"BENCH_PEER_FROST_AUTH": "user:secret", "BENCH_PEER_OTHER_AUTH": "lk_1"}

    frost = peer("frost=http://127.0.0.1:8081/FROST-Server/v1.1/", environment)
    assert (frost.name, frost.address, frost.port) == ("frost", "127.0.0.1", 8081)
    assert frost.wire.root == "/FROST-Server/v1.1"
    assert frost.wire.authorization == "Basic dXNlcjpzZWNyZXQ="
    assert peer("other=http://h/v1.1", environment).wire.authorization == "Bearer lk_1"
    assert peer("open=http://h/v1.1", environment).wire.authorization is None


@pytest.mark.parametrize("text", ["http://h/v1.1", "a=https://h/v1.1", "a b=http://h/v1.1", "a="])
def test_a_peer_that_is_not_name_and_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NAME"):
        peer(text, {})


@pytest.mark.slow
def test_a_peer_does_all_of_the_work_and_one_that_is_gone_hides_nothing(small: Settings, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(small, things=4)
    gone = peer("gone=http://127.0.0.1:9/v1.1", {})
    with product(Folders(tmp_path, None).empty("own")) as server:
        comparison = Comparison([itself(server), gone], settings, 1_790_000_000, lambda text: None)
        comparison.run()

    assert {m.key for m in comparison.found if m.column == "Lakou"} == {p.key for p in PEER}
    assert all(m.value is not None and m.value > 0 for m in comparison.found)
    assert len(comparison.left_out) == 1
    assert comparison.left_out[0].startswith("gone: ConnectionRefusedError")
