"""The address of a client behind a proxy: believed only from proxies that the configuration names.

Without `trusted_proxies` the header X-Forwarded-For is not looked at: anybody can write it. With it, the last address
in it that is not itself a trusted proxy is the client's, for each proxy adds at the end whom it has seen.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from lakou.server.types import Scope

HEADER = b"x-forwarded-for"
MAX_HOPS = 20

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The trusted ones of one configuration."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text, strict=False) for text in trusted)
        self._trusts = lru_cache(4096)(self._look)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def settle(self, scope: Scope) -> None:
        """Put the real client's address in place of the proxy's; what is no address leaves it as it is."""
        client = scope.get("client")
        if client is None or not self._trusts(client[0]):
            return
        said = b",".join(value for name, value in scope["headers"] if name == HEADER)
        for text in reversed(said.decode("latin-1").split(",")[-MAX_HOPS:]):
            address = text.strip()
            if not _is_address(address):
                return
            scope["client"] = (address, 0)
            if not self._trusts(address):
                return

    def _look(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks if network.version == address.version)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
