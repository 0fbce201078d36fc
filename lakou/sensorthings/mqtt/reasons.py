"""The reason codes of MQTT 5 (§2.4) that this endpoint gives, and the error that carries one.

MQTT 3.1.1 has five return codes for CONNACK and one for SUBACK; `connack_311` maps to them.
"""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """MQTT 5 §2.4; below 0x80 all went well."""

    SUCCESS = 0x00
    DISCONNECT_WITH_WILL = 0x04
    NO_SUBSCRIPTION = 0x11
    UNSPECIFIED = 0x80
    MALFORMED = 0x81
    PROTOCOL_ERROR = 0x82
    UNSUPPORTED_VERSION = 0x84
    CLIENT_ID_INVALID = 0x85
    BAD_CREDENTIALS = 0x86
    NOT_AUTHORISED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BAD_METHOD = 0x8C
    SHUTTING_DOWN = 0x8B
    KEEP_ALIVE = 0x8D
    TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_ID_UNKNOWN = 0x92
    RECEIVE_MAXIMUM = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    TOO_LARGE = 0x95
    RATE_TOO_HIGH = 0x96
    QUOTA = 0x97
    ADMINISTRATIVE = 0x98
    PAYLOAD_INVALID = 0x99
    RETAIN_UNSUPPORTED = 0x9A
    SHARED_UNSUPPORTED = 0x9E
    RATE_EXCEEDED = 0x9F
    IDENTIFIERS_UNSUPPORTED = 0xA1
    WILDCARDS_UNSUPPORTED = 0xA2


_CONNACK_311 = {
    Reason.SUCCESS: 0,
    Reason.UNSUPPORTED_VERSION: 1,
    Reason.CLIENT_ID_INVALID: 2,
    Reason.BAD_CREDENTIALS: 4,
    Reason.NOT_AUTHORISED: 5,
}


def connack_311(reason: int) -> int:
    """The return code of a 3.1.1 CONNACK (§3.2.2.3); what has none of its own is 3, server unavailable."""
    return _CONNACK_311.get(Reason(reason), 3)


class PacketError(Exception):
    """What a client may not send. The connection ends with this reason."""

    def __init__(self, message: str, reason: Reason = Reason.MALFORMED) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
