"""Django's settings, all derived from the one `Config` of the process. Nothing here reads the environment.

The civic database is `civic.db` in the data folder, or the schema `civic` of PostgreSQL: never the one that holds
observations, for a civic transaction must not wait for a sensor (DESIGN §4). Browser rules: trust R14.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF

from lakou.server import config as configuration
from lakou.server import secretfile
from lakou.server.databases import civic_database

CONFIG = configuration.current()
LAKOU_TERRITORY = CONFIG.territory

SECRET_KEY = secretfile.secret_key(CONFIG.data_dir)
DEBUG = False
# Pages build no absolute address from the Host header, so any name may reach a server without `allowed_hosts`.
ALLOWED_HOSTS = list(CONFIG.allowed_hosts) or ["*"]
ROOT_URLCONF = "lakou.server.urls"
ASGI_APPLICATION = None

INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "lakou.identity",
    "lakou.territory",
    "lakou.connectors",
    "lakou.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "lakou.server.headers.permissions_policy",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                "lakou.web.frame.frame",
            ]
        },
    }
]
DATABASES = {"default": civic_database(CONFIG)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "fr"
USE_I18N = True
# Instants are stored in UTC; this is the zone in which pages show them.
USE_TZ = True
TIME_ZONE = "America/Martinique"

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # server.static lists the files of the apps; there is no copy to collect
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024

_secure = CONFIG.base_url is not None and urlsplit(CONFIG.base_url).scheme == "https"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = _secure
CSRF_COOKIE_NAME = "__Host-csrftoken" if _secure else "csrftoken"
CSRF_TRUSTED_ORIGINS = [CONFIG.base_url.rstrip("/")] if CONFIG.base_url is not None else []
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # The nonce is for the import map, the one script that must stand in the page.
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [SELF],
        "require-trusted-types-for": ["'script'"],
    }
}

LOGGING_CONFIG = None  # lakou.server.logs has set it up before Django is loaded
