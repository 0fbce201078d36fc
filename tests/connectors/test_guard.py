"""The guard of outgoing requests: forged addresses, redirects, sizes and times (trust R12)."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lakou.connectors import guard
from lakou.connectors.guard import Policy
from lakou.kernel.errors import BadRequest, Forbidden, LakouError, TooLarge, Unavailable


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::",
    ],
)
def test_no_internal_address_is_public(text: str) -> None:
    assert not guard.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "137.227.232.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(text: str) -> None:
    assert guard.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://example.org/",
        "//example.org",
        "http://",
        "https://user:secret@example.org/",
        "http://example.org:22/",
        "http://example.org:8080/",
        "http://[::1",
        "",
    ],
)
def test_other_schemes_ports_and_forms_are_refused(url: str) -> None:
    with pytest.raises((Forbidden, BadRequest)):
        guard.check_url(url, Policy())


def test_a_name_with_one_internal_address_among_public_ones_is_refused() -> None:
    with pytest.raises(Forbidden):
        guard.checked_address("example.org", ("8.8.8.8", "10.0.0.1"), Policy())


def test_an_operator_may_vouch_for_a_named_host() -> None:
    policy = Policy(allow_hosts=frozenset({"sensors.internal"}))
    assert guard.checked_address("Sensors.internal", ("10.0.0.1",), policy) == "10.0.0.1"
    with pytest.raises(Forbidden):
        guard.checked_address("other.internal", ("10.0.0.1",), policy)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(LakouError) as refused:
        asyncio.run(guard.fetch(f"http://{host}/", Policy(timeout_s=5)))
    assert isinstance(refused.value, Forbidden | Unavailable | BadRequest)


@asynccontextmanager
async def answering(*answers: bytes, hang: bool = False) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A loopback server that gives these raw answers in turn; with the requests it got."""
    requests: list[bytes] = []
    left = list(answers)
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            if hang:
                await reader.read()
            else:
                writer.write(left.pop(0))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], requests
    finally:
        server.close()
        if serving:
            await asyncio.wait(serving, timeout=5)
        await asyncio.sleep(0.01)


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + body


async def loopback(host: str, port: int) -> tuple[str, ...]:
    return ("127.0.0.1",)


def local(port: int, **changes: object) -> Policy:
    return Policy(ports=frozenset({port}), allow_loopback=True, **{"timeout_s": 5.0, **changes})  # type: ignore[arg-type]


def test_the_checked_address_is_asked_under_the_right_host_name() -> None:
    async def scenario() -> tuple[bytes, bytes]:
        async with answering(answer(b"level")) as (port, requests):
            body = await guard.fetch(f"http://gauge.example:{port}/a?b=c", local(port), resolver=loopback)
            return body, requests[0]

    body, request = asyncio.run(scenario())
    assert body == b"level"
    assert request.startswith(b"GET /a?b=c HTTP/1.1")
    assert b"Host: gauge.example:" in request
    assert b"Cookie" not in request


def test_a_redirect_to_an_internal_address_is_refused() -> None:
    async def scenario() -> None:
        async with answering(answer(b"", "302 Found", "Location: http://169.254.169.254/meta\r\n")) as (port, _):
            await guard.fetch(f"http://127.0.0.1:{port}/", Policy(ports=frozenset({port, 80}), allow_loopback=True))

    with pytest.raises(Forbidden):
        asyncio.run(scenario())


def test_redirects_are_followed_three_times_at_most() -> None:
    async def scenario(count: int) -> bytes:
        moved = answer(b"", "302 Found", "Location: /next\r\n")
        async with answering(*[moved] * count, answer(b"there")) as (port, _):
            return await guard.fetch(f"http://127.0.0.1:{port}/", local(port))

    assert asyncio.run(scenario(3)) == b"there"
    with pytest.raises(Unavailable):
        asyncio.run(scenario(4))


def test_a_large_answer_is_cut_also_when_compressed() -> None:
    async def scenario(body: bytes, headers: str = "") -> bytes:
        async with answering(answer(body, headers=headers)) as (port, _):
            return await guard.fetch(f"http://127.0.0.1:{port}/", local(port, max_bytes=1000))

    assert asyncio.run(scenario(b"x" * 1000)) == b"x" * 1000
    with pytest.raises(TooLarge):
        asyncio.run(scenario(b"x" * 1001))
    with pytest.raises(TooLarge):
        asyncio.run(scenario(gzip.compress(b"x" * 5_000_000), "Content-Encoding: gzip\r\n"))


def test_a_hanging_source_is_cut() -> None:
    async def scenario() -> None:
        async with answering(hang=True) as (port, _):
            await guard.fetch(f"http://127.0.0.1:{port}/", local(port, timeout_s=0.2))

    with pytest.raises(Unavailable) as cut:
        asyncio.run(scenario())
    assert cut.value.error_code in ("source_timeout", "source_unreachable")


@pytest.mark.parametrize("raw", [answer(b"no", "503 Service Unavailable"), answer(b"", "204 No Content"), b"not http"])
def test_any_answer_but_200_is_unavailable(raw: bytes) -> None:
    async def scenario() -> None:
        async with answering(raw) as (port, _):
            await guard.fetch(f"http://127.0.0.1:{port}/", local(port))

    with pytest.raises(Unavailable):
        asyncio.run(scenario())


def test_one_failing_url_does_not_hide_the_others() -> None:
    async def get(url: str) -> bytes:
        if url == "b":
            raise Unavailable("down")
        return url.encode()

    first, second, third = asyncio.run(guard.fetch_each(get, ["a", "b", "c"]))
    assert (first, third) == (("a", b"a"), ("c", b"c"))
    assert isinstance(second[1], Unavailable)
