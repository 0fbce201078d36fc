"""What Django is told, by the configuration of the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ASK = """
import json, sys
from lakou.server import settings
print(json.dumps({name: getattr(settings, name, None) for name in sys.argv[1:]}))
"""
NAMES = (
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_NAME",
    "MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN",
    "ACCOUNT_RATE_LIMITS",
    "EMAIL_BACKEND",
    "EMAIL_HOST",
    "EMAIL_PORT",
    "EMAIL_HOST_PASSWORD",
    "EMAIL_USE_TLS",
    "DEFAULT_FROM_EMAIL",
)


def settings(folder: Path, **environ: str) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKOU_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-c", ASK, *NAMES],
        capture_output=True,
        text=True,
        env={**kept, "LAKOU_DATA": str(folder), **environ},
        timeout=60,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_without_tls_on_loopback(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found["SESSION_COOKIE_NAME"], found["SESSION_COOKIE_SECURE"]) == ("sessionid", False)
    assert found["MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN"] is True
    assert "/ip" not in json.dumps(found["ACCOUNT_RATE_LIMITS"])
    assert found["EMAIL_BACKEND"].endswith("filebased.EmailBackend")


def test_behind_a_named_proxy_with_tls_and_mail(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        LAKOU_BASE_URL="https://lakou.example.org",
        LAKOU_TRUSTED_PROXIES="127.0.0.1",
        LAKOU_SMTP_URL="smtp://user:p%40ss@mail.example.org",
    )
    assert (found["SESSION_COOKIE_NAME"], found["SESSION_COOKIE_SECURE"]) == ("__Host-sessionid", True)
    assert found["CSRF_COOKIE_NAME"] == "__Host-csrftoken"
    assert found["MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN"] is False
    assert found["ACCOUNT_RATE_LIMITS"]["login_failed"] == "10/m/ip,5/5m/key"
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_USE_TLS"]) == ("mail.example.org", 587, True)
    assert found["EMAIL_HOST_PASSWORD"] == "p@ss"
    assert found["DEFAULT_FROM_EMAIL"] == "lakou@lakou.example.org"
