"""Counting connections by address."""

from lakou.server.crowd import Caps, Crowd


def test_each_address_has_its_own_share_and_gets_it_back() -> None:
    crowd, caps = Crowd(), Caps(per_address=2)
    assert [crowd.enter("192.0.2.1", caps) for _ in range(3)] == [True, True, False]
    assert crowd.enter("192.0.2.2", caps)
    crowd.leave("192.0.2.1")
    crowd.leave("192.0.2.1")
    assert crowd.enter("192.0.2.1", caps)


def test_this_machine_has_a_bound_of_its_own() -> None:
    crowd, caps = Crowd(), Caps(per_address=1, on_loopback=0)
    for address in ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", ""):
        assert all(crowd.enter(address, caps) for _ in range(5)), address
    assert not Crowd().enter("127.0.0.1", Caps(on_loopback=1)) or not crowd.enter("127.0.0.1", Caps(on_loopback=1))


def test_no_bound_is_no_bound() -> None:
    crowd = Crowd()
    assert all(crowd.enter("192.0.2.1", Caps(per_address=0)) for _ in range(1000))
