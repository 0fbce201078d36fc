"""The hash of the product itself, not the quick one of these tests."""

import threading

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.test import override_settings

from lakou.identity import hashing


@override_settings(PASSWORD_HASHERS=["lakou.identity.hashing.BoundedArgon2"])
def test_passwords_are_hashed_by_argon2id_within_32_mib() -> None:
    stored = make_password("trois mornes et une riviere")
    assert stored.startswith("argon2$argon2id$v=19$m=32768,t=3,p=1$")
    assert check_password("trois mornes et une riviere", stored)
    assert not check_password("trois mornes et une rivière", stored)


def test_only_so_many_hashes_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    class Counted(hashing.BoundedArgon2):
        time_cost, memory_cost = 1, 8

        def params(self) -> object:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            threading.Event().wait(0.01)
            with lock:
                running -= 1
            return super().params()

    monkeypatch.setattr(hashing, "_turn", threading.BoundedSemaphore(2))
    threads = [threading.Thread(target=lambda: Counted().encode("x", "saltsalt")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
