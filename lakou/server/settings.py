"""Django's settings, all derived from the one `Config` of the process. Nothing here reads the environment.

The civic database is `civic.db` in the data folder, or the schema `civic` of PostgreSQL: never the one that holds
observations, for a civic transaction must not wait for a sensor (DESIGN §4). Browser rules: trust R14.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

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
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "lakou.identity",  # before allauth: its templates win
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "lakou.territory",
    "lakou.connectors",
    "lakou.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "lakou.server.headers.permissions_policy",
    "django.middleware.common.CommonMiddleware",
    "lakou.identity.middleware.Visitors",
    "lakou.identity.middleware.refusals_are_noted",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "lakou.identity.middleware.second_factor_first",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "lakou.identity.context.visitor",
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

CACHES = {"default": {"BACKEND": "lakou.identity.shared_cache.TableCache"}}

_secure = CONFIG.base_url is not None and urlsplit(CONFIG.base_url).scheme == "https"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = _secure
CSRF_COOKIE_NAME = "__Host-csrftoken" if _secure else "csrftoken"
CSRF_TRUSTED_ORIGINS = [CONFIG.base_url.rstrip("/")] if CONFIG.base_url is not None else []

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _secure
SESSION_COOKIE_NAME = "__Host-sessionid" if _secure else "sessionid"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

AUTH_USER_MODEL = "identity.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "lakou.identity.hashing.BoundedArgon2",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# Length and no usual word, but no rule on kinds of letters: those make people write passwords on paper.
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "account_overview"
LOGOUT_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "lakou.identity.adapters.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "lakou.identity.allauth_forms.LoginForm",
    "signup": "lakou.identity.allauth_forms.SignupForm",
    "reset_password": "lakou.identity.allauth_forms.ResetForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SIGNUP_ENABLED = CONFIG.open_signup == "on"
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if ACCOUNT_SIGNUP_ENABLED else "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Lakou : "
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_METHODS = ("password", "mfa")
MFA_ADAPTER = "lakou.identity.adapters.SecondFactorAdapter"
MFA_FORMS = {
    "activate_totp": "lakou.identity.allauth_forms.ApplicationForm",
    "add_webauthn": "lakou.identity.allauth_forms.AddKeyForm",
    "edit_webauthn": "lakou.identity.allauth_forms.EditKeyForm",
    "login_webauthn": "lakou.identity.allauth_forms.LoginKeyForm",
    "authenticate_webauthn": "lakou.identity.allauth_forms.SecondKeyForm",
    "reauthenticate_webauthn": "lakou.identity.allauth_forms.AgainKeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
# Who listens on loopback behind a proxy that is not named sees everybody come from one address: then only accounts are
# counted, or ten wrong passwords of one stranger would keep the whole town hall out.
_sees_addresses = bool(CONFIG.trusted_proxies) or CONFIG.host not in ("127.0.0.1", "::1", "localhost")
ACCOUNT_RATE_LIMITS: dict[str, str | None] = {
    "login_failed": "10/m/ip,5/5m/key" if _sees_addresses else "5/5m/key",
    "reset_password": "20/m/ip,5/m/key" if _sees_addresses else "5/m/key",
    **({} if _sees_addresses else {"login": None, "signup": None, "reset_password_from_key": None}),
}
# A town hall is one address, and at a passkey there is nothing to guess.
MFA_RATE_LIMITS = {"webauthn_login": "60/m/ip" if _sees_addresses else None}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Lakou"
MFA_TOTP_TOLERANCE = 1  # a clock without network drifts
# Without TLS a browser gives passkeys to localhost only, whose origin the strict check refuses.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not _secure

LAKOU_BASE_URL = CONFIG.base_url.rstrip("/") if CONFIG.base_url is not None else None
LAKOU_HAS_MAIL = CONFIG.smtp_url is not None
if CONFIG.smtp_url is None:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(CONFIG.data_dir / "outbox")
else:
    _mail = urlsplit(CONFIG.smtp_url)
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _mail.hostname
    EMAIL_PORT = _mail.port or (465 if _mail.scheme == "smtps" else 587)
    EMAIL_HOST_USER = unquote(_mail.username or "")
    EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
    EMAIL_USE_SSL = _mail.scheme == "smtps"
    EMAIL_USE_TLS = _mail.scheme == "smtp"
    EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = CONFIG.mail_from or "lakou@" + (urlsplit(CONFIG.base_url or "").hostname or "localhost")

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
