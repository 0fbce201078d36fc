"""Whose word about the client's address is believed."""

import pytest

from lakou.kernel.errors import BadRequest
from lakou.server import config
from lakou.server.proxies import Proxies


def client(trusted: tuple[str, ...], peer: str, *said: str) -> str:
    scope = {"client": (peer, 1234), "headers": [(b"x-forwarded-for", text.encode()) for text in said]}
    Proxies(trusted).settle(scope)
    address: str = scope["client"][0]  # type: ignore[assignment]
    return address


@pytest.mark.parametrize(
    ("trusted", "peer", "said", "found"),
    [
        ((), "127.0.0.1", ["198.51.100.7"], "127.0.0.1"),
        (("127.0.0.1",), "127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        (("127.0.0.1",), "203.0.113.9", ["198.51.100.7"], "203.0.113.9"),
        (("127.0.0.1",), "127.0.0.1", [], "127.0.0.1"),
        # What the client itself wrote stands before what the proxy has seen.
        (("127.0.0.1",), "127.0.0.1", ["192.0.2.1, 198.51.100.7"], "198.51.100.7"),
        (("127.0.0.1",), "127.0.0.1", ["192.0.2.1", "198.51.100.7"], "198.51.100.7"),
        (("127.0.0.1", "10.0.0.0/8"), "127.0.0.1", ["198.51.100.7, 10.1.2.3"], "198.51.100.7"),
        (("127.0.0.1",), "127.0.0.1", ["nonsense"], "127.0.0.1"),
        (("127.0.0.1",), "127.0.0.1", ["198.51.100.7, "], "127.0.0.1"),
        (("::1",), "::1", ["2001:db8::7"], "2001:db8::7"),
        (("127.0.0.1",), "::ffff:127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has_is_the_client_s(
    trusted: tuple[str, ...], peer: str, said: list[str], found: str
) -> None:
    assert client(trusted, peer, *said) == found


def test_what_is_no_address_or_network_is_refused_at_the_start() -> None:
    with pytest.raises(BadRequest, match="LAKOU_TRUSTED_PROXIES"):
        config.load(environ={"LAKOU_TRUSTED_PROXIES": "localhost"})
    assert config.load(environ={"LAKOU_TRUSTED_PROXIES": "::1,10.0.0.0/8"}).trusted_proxies == ("::1", "10.0.0.0/8")
