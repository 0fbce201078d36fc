"""The one way out: every outgoing request of a connector passes this guard against forged addresses.

http and https only; the name is resolved once, every address it gives must be public, and the connection goes to
the checked address with the right Host and server name, so that a second answer of the resolver cannot move it.
Each redirect is checked again. Size and time are capped, no cookies, no proxy from the environment.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

from lakou.kernel.errors import BadRequest, Forbidden, LakouError, TooLarge, Unavailable

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]
Get = Callable[[str], Awaitable[bytes]]

# Ranges that carry another address inside them and so could lead to an internal one.
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


AT_ONCE = 4  # requests to one source at a time


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits of an outgoing request. `allow_hosts` are internal host names that the operator vouches for."""

    max_bytes: int = 8 * 1024 * 1024
    timeout_s: float = 20.0
    max_redirects: int = 3
    ports: frozenset[int] = frozenset({80, 443})
    allow_hosts: frozenset[str] = frozenset()
    allow_loopback: bool = False
    user_agent: str = "Lakou connector"


def is_public(address: IpAddress) -> bool:
    """False for loopback, private, link-local, shared (CGNAT), multicast, reserved, and what maps onto those."""
    if isinstance(address, ipaddress.IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour, address.teredo[1] if address.teredo else None):
            if inner is not None:
                return is_public(inner)
        if any(address in network for network in _NAT64) or address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_url(url: str, policy: Policy) -> httpx.URL:
    """The parsed URL, or Forbidden / BadRequest when its scheme, port or form is not allowed."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise BadRequest("The address of the source cannot be read.", hint="Give a full http(s) URL.") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _refused("Only http and https addresses are fetched.")
    if parsed.userinfo:
        raise _refused("An address with a user name or password in it is not fetched.")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if port not in policy.ports and parsed.host.lower() not in policy.allow_hosts:
        raise _refused(f"Port {port} is not allowed.")
    return parsed


def checked_address(host: str, addresses: Iterable[str], policy: Policy) -> str:
    """The address to connect to. One forbidden address among several refuses the host: names must not mix."""
    found = [ipaddress.ip_address(text.partition("%")[0]) for text in addresses]
    if not found:
        raise Unavailable("The host name of the source has no address.", code="source_unreachable")
    if host.lower() not in policy.allow_hosts:
        for address in found:
            if not (is_public(address) or (policy.allow_loopback and address.is_loopback)):
                raise _refused("The host name leads to an address that is not public.")
    return str(found[0])


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Addresses of `host` from the system's resolver, in its order."""
    try:
        rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unavailable("The host name of the source is not known.", code="source_unreachable") from None
    return tuple(str(row[4][0]) for row in rows)


async def fetch(url: str, policy: Policy, *, resolver: Resolve = resolve) -> bytes:
    """The body of a GET with status 200.

    Raises Forbidden (address refused), TooLarge, or Unavailable (unreachable, too slow, any other status).
    """
    try:
        async with asyncio.timeout(policy.timeout_s):
            return await _follow(url, policy, resolver)
    except TimeoutError:
        raise Unavailable("The source did not answer in time.", code="source_timeout") from None
    except httpx.HTTPError as error:
        kind = type(error).__name__
        raise Unavailable(f"The source cannot be read ({kind}).", code="source_unreachable") from None


async def fetch_each(get: Get, urls: Iterable[str]) -> tuple[tuple[str, bytes | LakouError], ...]:
    """Each URL with its body or its error, in order: one silent station does not hide the others."""
    few = asyncio.Semaphore(AT_ONCE)

    async def one(url: str) -> tuple[str, bytes | LakouError]:
        async with few:
            try:
                return url, await get(url)
            except LakouError as error:
                return url, error

    return tuple(await asyncio.gather(*(one(url) for url in urls)))


async def _follow(url: str, policy: Policy, resolver: Resolve) -> bytes:
    for _ in range(policy.max_redirects + 1):
        parsed = check_url(url, policy)
        answer = await _get(parsed, policy, resolver)
        if isinstance(answer, bytes):
            return answer
        url = urljoin(url, answer)
        if parsed.scheme == "https" and not url.lower().startswith("https:"):
            raise _refused("A redirect from https to an unprotected address is not followed.")
    raise Unavailable("The source redirects too often.", code="source_redirects")


async def _get(url: httpx.URL, policy: Policy, resolver: Resolve) -> bytes | str:
    """The body, or the address of a redirect."""
    port = url.port or (443 if url.scheme == "https" else 80)
    host = url.raw_host.decode("ascii")
    address = checked_address(host, await resolver(host, port), policy)
    headers = {"Host": url.netloc.decode("ascii"), "User-Agent": policy.user_agent, "Accept-Encoding": "gzip, deflate"}
    # A client for each request: nothing (cookies, connections) is carried from one source to another.
    async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=policy.timeout_s) as client:
        request = client.build_request(
            "GET",
            url.copy_with(host=address),
            headers=headers,
            extensions={"sni_hostname": host},
        )
        response = await client.send(request, stream=True)
        try:
            if response.has_redirect_location:
                return response.headers["Location"]
            if response.status_code != 200:
                raise Unavailable(f"The source answers with status {response.status_code}.", code="source_status")
            return await _body(response, policy.max_bytes)
        finally:
            await response.aclose()


async def _body(response: httpx.Response, max_bytes: int) -> bytes:
    """The decoded body, read in small steps: a compressed bomb is cut when its text passes the cap."""
    size = 0
    parts: list[bytes] = []
    async for part in response.aiter_bytes(64 * 1024):
        size += len(part)
        if size > max_bytes:
            raise TooLarge(f"The source sends more than {max_bytes} bytes.", code="source_too_large")
        parts.append(part)
    return b"".join(parts)


def _refused(message: str) -> Forbidden:
    return Forbidden(
        message, code="address_refused", hint="Only public addresses are fetched; an operator may allow a named host."
    )
