"""What a bridge shows a broker and how it knows it: password, own certificate, authority. Read anew at each connection.

A certificate that was renewed on the disk is thus taken at the next connection, without a restart.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from lakou.connectors.mqtt_bridge import Bridge
from lakou.kernel.errors import BadRequest


def password(bridge: Bridge) -> str | None:
    """Raises BadRequest (code `configuration`) when the file or the variable is not there."""
    try:
        if bridge.password_file is not None:
            return Path(bridge.password_file).read_text(encoding="utf-8").strip()
        return None if bridge.password_env is None else os.environ[bridge.password_env]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        setting = "password_file" if bridge.password_file is not None else "password_env"
        raise _unreadable(bridge, setting, "The password", error) from None


def tls_context(bridge: Bridge) -> ssl.SSLContext:
    """TLS 1.2 or later; the chain and the name of the broker are verified, always.

    Raises BadRequest (code `configuration`) with the setting whose file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=bridge.ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise _unreadable(bridge, "ca_file", "The authority's certificate", error) from None
    if bridge.certificate_file is not None:
        try:
            context.load_cert_chain(bridge.certificate_file, bridge.key_file, password=lambda: _encrypted(bridge))
        except OSError as error:
            raise _unreadable(bridge, "certificate_file", "Our certificate or its key", error) from None
    return context


def _encrypted(bridge: Bridge) -> str:
    """Asked by OpenSSL for the password of a key; otherwise it would ask on the terminal."""
    raise BadRequest(
        "The key of our certificate is encrypted.",
        place=f"{bridge.place}.key_file",
        hint="Give a key without a password that only the service may read.",
        code="configuration",
    )


def _unreadable(bridge: Bridge, setting: str, what: str, error: Exception) -> BadRequest:
    reason = getattr(error, "reason", None) or type(error).__name__
    return BadRequest(
        f"{what} cannot be read ({reason}).",
        place=f"{bridge.place}.{setting}",
        hint=f"Check {setting}: it must exist, be readable by the service, and be PEM where it is a certificate.",
        code="configuration",
    )
