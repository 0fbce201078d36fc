"""Why a broker is not heard, for the person who can mend it: each fault with its code, its setting and a hint. Pure."""

from __future__ import annotations

import ssl

from lakou.connectors.mqtt_bridge import Bridge, port_of, uses_tls
from lakou.kernel.errors import LakouError, Unavailable

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_EOF", "PACKET_LENGTH")


def explained(bridge: Bridge, error: Exception) -> LakouError:
    """What an error of the network or of TLS means for this bridge."""
    match error:
        case LakouError():
            return error
        case ssl.SSLCertVerificationError():
            return _unverified(bridge, error)
        case ssl.SSLError():
            return _tls(bridge, error)
        case ConnectionRefusedError():
            hint = f"Does the broker run, and listen on port {port_of(bridge)}?"
            return _fault(bridge, "broker_unreachable", "host", f"Nothing answers at {_address(bridge)}.", hint)
        case TimeoutError():
            hint = "A firewall may be silent between here and there."
            return _fault(bridge, "broker_unreachable", "host", f"{_address(bridge)} did not answer in time.", hint)
    if uses_tls(bridge) and isinstance(error, ConnectionError):
        return _no_tls(bridge)
    reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"[:100]
    message = f"The connection to {_address(bridge)} failed ({reason})."
    return _fault(bridge, "broker_unreachable", "host", message, "The log of the broker may say more.")


def refused(bridge: Bridge, reason: str) -> LakouError:
    """The broker's answer to CONNECT (MQTT 5 §3.2.2.2) was a refusal."""
    if "lient identifier" in reason:
        setting, hint = "client_id", "Give a client_id that the broker accepts."
    elif "rotocol version" in reason:
        setting, hint = "protocol", 'Try protocol = "3.1.1".'
    else:
        setting, hint = "user", "Check user and password, and what the broker lets this user do."
    return _fault(bridge, "broker_refused", setting, f"We are refused by the broker: {reason}.", hint)


def forbidden(bridge: Bridge, topics: list[str]) -> LakouError:
    """The broker refused some of the subscriptions (MQTT 5 §3.9.3)."""
    hint = "Let the user read them at the broker."
    return _fault(bridge, "broker_refused", "topics", f"The broker refuses {', '.join(topics)[:150]}.", hint)


def unanswered(bridge: Bridge, error: OSError | None) -> LakouError:
    """The broker ended the connection before it answered CONNECT; `error` is how reading ended."""
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return _tls(bridge, error)
    message = "The broker ended the connection before it answered."
    if not uses_tls(bridge):
        hint = "Is this its port for TLS? Then tls = true. Its log may say more."
        return _fault(bridge, "broker_closed", "tls", message, hint)
    hint = "Does it want a certificate of ours (certificate_file, key_file)? Its log may say more."
    if bridge.certificate_file is not None:
        # A broker that closes at once may take its own reason back with it (TCP's reset).
        hint = "Is certificate_file in date, and by an authority that the broker knows? Its log may say more."
    return _fault(bridge, "broker_closed", "certificate_file", message, hint)


def _unverified(bridge: Bridge, error: ssl.SSLCertVerificationError) -> LakouError:
    code = error.verify_code
    if code in _OTHER_NAME:
        hint = "Give host as it stands in the certificate, or have the broker's certificate made for it."
        message = f"The broker's certificate is not for the name {bridge.host}."
        return _fault(bridge, "broker_name", "host", message, hint)
    if code in _UNKNOWN_AUTHORITY:
        hint = "Name the certificate of its authority in ca_file, or mend the chain that the broker sends."
        return _fault(
            bridge, "broker_authority", "ca_file", "The broker's certificate is by an authority unknown here.", hint
        )
    if code in (_NOT_YET_VALID, _EXPIRED):
        word = "has expired" if code == _EXPIRED else "is not valid yet"
        hint = "Have it renewed; is the clock of this machine right?"
        return _fault(bridge, "broker_certificate", "host", f"The broker's certificate {word}.", hint)
    hint = "Have the broker's certificate made anew."
    message = f"The broker's certificate is not accepted: {error.verify_message}."
    return _fault(bridge, "broker_certificate", "host", message, hint)


def _tls(bridge: Bridge, error: ssl.SSLError) -> LakouError:
    reason = error.reason or type(error).__name__
    if isinstance(error, ssl.SSLEOFError) or any(word in reason for word in _NO_TLS):
        return _no_tls(bridge)
    if "ALERT" in reason and ("CERT" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE" in reason):
        has = bridge.certificate_file is not None
        message = f"The broker {'does not accept our certificate' if has else 'asks for a certificate of ours'}."
        hint = "certificate_file and key_file: in date, and by an authority that the broker knows."
        return _fault(bridge, "client_certificate", "certificate_file", message, hint)
    hint = "The broker must speak TLS 1.2 or later."
    return _fault(bridge, "broker_tls", "tls", f"TLS with the broker failed ({reason}).", hint)


def _no_tls(bridge: Bridge) -> LakouError:
    hint = "Is it the port for TLS? Inside a network you trust entirely: tls = false."
    return _fault(bridge, "broker_tls", "port", f"{_address(bridge)} does not speak TLS.", hint)


def _address(bridge: Bridge) -> str:
    return f"{bridge.host}:{port_of(bridge)}"


def _fault(bridge: Bridge, code: str, setting: str, message: str, hint: str) -> LakouError:
    return Unavailable(message, place=f"{bridge.place}.{setting}", hint=hint, code=code)
