"""Who is connected to this process: how many in all, how many from one address, and how much waits to be read.

One `Crowd` a process. It only counts; `guard.py` decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections import Counter
from ipaddress import ip_address

import msgspec


class Caps(msgspec.Struct, frozen=True):
    """Bounds on connections; 0 is none. Connections from this machine have a bound of their own, for a proxy on it."""

    connections: int = 2048
    per_address: int = 256
    on_loopback: int = 0


class Crowd:
    """Connections by address, and the bytes of answers that nobody has read yet."""

    def __init__(self) -> None:
        self.unread_bytes = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str, caps: Caps) -> bool:
        """Count a connection; False when there are more from its address than may be."""
        self._by_address[address] += 1
        bound = caps.on_loopback if _is_loopback(address) else caps.per_address
        return not bound or self._by_address[address] <= bound

    def leave(self, address: str) -> None:
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


def _is_loopback(address: str) -> bool:
    if address == "127.0.0.1":
        return True
    try:
        found = ip_address(address)
    except ValueError:  # a Unix socket has none
        return True
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def unread_by(transport: asyncio.Transport) -> int:
    """Bytes that the other side has not taken yet: ours, and those in the system's buffer, which takes megabytes."""
    waiting = transport.get_write_buffer_size()
    connection = transport.get_extra_info("socket")
    try:
        (inside,) = struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))
    except OSError:
        inside = 0
    return waiting + int(inside)


def reset(transport: asyncio.Transport) -> None:
    """End a connection at once: the system would otherwise go on offering its megabytes for minutes."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


HERE = Crowd()
"""The crowd of this process."""
