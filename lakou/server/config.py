"""The one configuration of a process: command line > environment `LAKOU_*` > `lakou.toml` > default.

Read once, frozen, passed down; Django's settings derive from it and nothing else reads the environment.
`OPTIONS` is the table from which the reader, the messages and docs/reference/configuration.md are made.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec

from lakou.kernel.errors import BadRequest

Role = Literal["all", "data", "civic"]
LogFormat = Literal["text", "json"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What one process runs with. Paths are absolute, the database URL is a PostgreSQL URL or None (SQLite)."""

    data_dir: Path
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    mqtt_port: int = 1883
    workers: int = 1
    role: Role = "all"
    base_url: str | None = None
    territory: str = "le-lamentin"
    allowed_hosts: tuple[str, ...] = ()
    max_connections: int = 2048
    max_connections_per_address: int = 256
    max_connections_on_loopback: int = 0
    trusted_proxies: tuple[str, ...] = ()
    open_signup: Literal["off", "on"] = "off"
    smtp_url: str | None = None
    mail_from: str | None = None
    access_log: Literal["off", "on"] = "off"
    log_format: LogFormat = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    file: Path | None = None
    tables: Mapping[str, Any] = {}

    @property
    def is_postgres(self) -> bool:
        return self.database_url is not None

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of `lakou.toml` that belongs to another package, such as `[connectors.usgs_earthquakes]`."""
        found = self.tables.get(name, {})
        if not isinstance(found, Mapping):
            raise BadRequest(
                f"{name} in lakou.toml must be a table", place=name, hint=f"write [{name}]", code="configuration"
            )
        return found


class Option(NamedTuple):
    """One setting: its field, its form, and what it is for. `env` is `LAKOU_` plus the upper-case toml name."""

    field: str
    toml: str
    kind: Literal["path", "text", "integer", "port", "choice", "list"]
    meaning: str
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0

    @property
    def env(self) -> str:
        return "LAKOU_" + self.toml.upper()


OPTIONS: tuple[Option, ...] = (
    Option("data_dir", "data", "path", "folder of the databases (SQLite), secrets and logs"),
    Option("database_url", "database_url", "text", "PostgreSQL with PostGIS instead of SQLite: postgresql://…"),
    Option("host", "host", "text", "address to listen on"),
    Option("port", "port", "integer", "HTTP port", low=1, high=65535),
    Option("mqtt_port", "mqtt_port", "port", "MQTT port; 0 or none: no MQTT", low=0, high=65535),
    Option("workers", "workers", "integer", "processes; more than one needs PostgreSQL", low=1, high=64),
    Option("role", "role", "choice", "what this process answers", choices=("all", "data", "civic")),
    Option("base_url", "base_url", "text", "address as seen from outside, when a proxy stands in front"),
    Option("territory", "territory", "text", "the territory's profile: a built-in name, or a TOML file"),
    Option("allowed_hosts", "allowed_hosts", "list", "Host names that pages answer to (default: all)"),
    Option(
        "max_connections",
        "max_connections",
        "integer",
        "open connections; above it the longest idle one is closed, or the new one gets 503",
        low=10,
        high=100_000,
    ),
    Option(
        "max_connections_per_address",
        "max_connections_per_address",
        "integer",
        "open connections from one address, above it 503; 0 is no bound (for a proxy on another machine)",
        high=100_000,
    ),
    Option(
        "max_connections_on_loopback",
        "max_connections_on_loopback",
        "integer",
        "open connections from an address of this machine, where a proxy may stand; 0 is no bound",
        high=100_000,
    ),
    Option(
        "trusted_proxies",
        "trusted_proxies",
        "list",
        "addresses or networks of proxies whose X-Forwarded-For is believed (default: none)",
    ),
    Option("open_signup", "open_signup", "choice", "anybody may open an account (needs mail)", choices=("off", "on")),
    Option(
        "smtp_url",
        "smtp_url",
        "text",
        "server for outgoing mail: smtp://user:password@host:587 (STARTTLS) or smtps://…:465; "
        "without it mail is written into the folder outbox of the data folder",
    ),
    Option("mail_from", "mail_from", "text", "sender of mail (default: lakou@ and the host of base_url)"),
    Option("access_log", "access_log", "choice", "a log line for every request", choices=("off", "on")),
    Option("log_format", "log_format", "choice", "form of the log lines", choices=("text", "json")),
    Option("log_level", "log_level", "choice", "least level logged", choices=("debug", "info", "warning", "error")),
)
DEFAULT_DATA = "data"


def load(
    given: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Config:
    """Read the configuration. `given` holds command-line values by field name, None meaning "not given".

    The file is `file`, else `LAKOU_CONFIG`, else `./lakou.toml` where it exists.
    Raises BadRequest (code `configuration`) whose place names the option where it was read.
    """
    env = os.environ if environ is None else environ
    found, table = _read_file(file, env)
    name = found.name if found else "lakou.toml"
    values: dict[str, object] = {}
    for option in OPTIONS:
        place, raw = option.toml, None
        if given and given.get(option.field) is not None:
            place, raw = "--" + option.toml.replace("_", "-"), given[option.field]
        elif env.get(option.env):
            place, raw = option.env, env[option.env]
        elif option.toml in table:
            place, raw = f"{name}: {option.toml}", table[option.toml]
        if raw is not None:
            values[option.field] = _read_value(option, raw, place)
    known = {option.toml for option in OPTIONS}
    others = {key: value for key, value in table.items() if key not in known}
    for key, value in others.items():
        if not isinstance(value, Mapping):
            raise _wrong(f"{name}: {key}", "is no setting of Lakou", f"known ones: {', '.join(sorted(known))}")
    values.setdefault("data_dir", Path(DEFAULT_DATA).absolute())
    return _checked(Config(**cast(dict[str, Any], values), file=found, tables=others))


def environment(config: Config) -> dict[str, str]:
    """The configuration as environment variables, for the processes that this one starts."""
    out = {"LAKOU_CONFIG": str(config.file)} if config.file else {}
    for option in OPTIONS:
        value = getattr(config, option.field)
        if value is not None and value != ():
            out[option.env] = ",".join(value) if option.kind == "list" else str(value)
    return out


def _read_file(file: Path | None, env: Mapping[str, str]) -> tuple[Path | None, dict[str, Any]]:
    named = file or (Path(env["LAKOU_CONFIG"]) if env.get("LAKOU_CONFIG") else None)
    path = named or Path("lakou.toml")
    if not path.exists():
        if named is None:
            return None, {}
        raise _wrong("LAKOU_CONFIG", f"names a file that does not exist: {path}", "give the path of a lakou.toml")
    try:
        return path.absolute(), tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path.name, f"is not TOML: {error}", "see docs/reference/configuration.md") from error
    except OSError as error:
        raise _wrong(path.name, f"cannot be read: {error.strerror}", "check its owner and mode") from error


def _read_value(option: Option, raw: object, place: str) -> object:
    match option.kind:
        case "path":
            return Path(str(raw)).expanduser().absolute()
        case "integer" | "port":
            try:
                number = 0 if option.kind == "port" and str(raw).lower() == "none" else int(str(raw))
            except ValueError:
                raise _wrong(place, f"must be a whole number, not {raw!r}", option.meaning) from None
            if not option.low <= number <= option.high:
                raise _wrong(place, f"must be from {option.low} to {option.high}, not {number}", option.meaning)
            return number
        case "choice":
            if raw not in option.choices:
                raise _wrong(place, f"cannot be {raw!r}", "one of: " + ", ".join(option.choices))
            return raw
        case "list":
            parts = raw.split(",") if isinstance(raw, str) else raw if isinstance(raw, list) else [raw]
            return tuple(str(part).strip() for part in parts if str(part).strip())
        case "text":
            if not isinstance(raw, str):
                raise _wrong(place, f"must be a text, not {raw!r}", option.meaning)
            return raw.strip() or None


def _checked(config: Config) -> Config:
    """What only the whole can tell."""
    if config.database_url is not None and not config.database_url.startswith(("postgresql://", "postgres://")):
        raise _wrong("LAKOU_DATABASE_URL", "is not a PostgreSQL URL", "postgresql://user:password@host:5432/name")
    if config.base_url is not None and not config.base_url.startswith(("http://", "https://")):
        raise _wrong("LAKOU_BASE_URL", "must begin with http:// or https://", "for example https://lakou.example.org")
    for proxy in config.trusted_proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise _wrong(
                "LAKOU_TRUSTED_PROXIES", f"holds {proxy!r}", "addresses or networks: 127.0.0.1,10.0.0.0/8"
            ) from None
    if config.smtp_url is not None:
        mail = urlsplit(config.smtp_url)
        if mail.scheme not in ("smtp", "smtps") or not mail.hostname:
            raise _wrong("LAKOU_SMTP_URL", "is not the address of a mail server", "smtp://user:password@host:587")
        if config.base_url is None:
            raise _wrong("LAKOU_SMTP_URL", "needs base_url", "links in mail must lead back to this site")
    if config.open_signup == "on" and config.smtp_url is None:
        raise _wrong("LAKOU_OPEN_SIGNUP", "needs smtp_url", "the address of a new account is checked by mail")
    if not config.is_postgres and (config.workers > 1 or config.role != "all"):
        raise _wrong(
            "LAKOU_WORKERS" if config.workers > 1 else "LAKOU_ROLE",
            "SQLite has one writer, so one process does everything",
            "for several processes give --database-url",
        )
    return config


def _wrong(place: str, message: str, hint: str) -> BadRequest:
    return BadRequest(
        f"{place} {message}" if place not in message else message, place=place, hint=hint, code="configuration"
    )


_installed: Config | None = None


def install(config: Config) -> None:
    """Make this the configuration of the process. The command line calls it once, before Django is loaded."""
    global _installed
    _installed = config


def current() -> Config:
    """The configuration of the process: the installed one, else what environment and file say."""
    if _installed is None:
        install(load())
    assert _installed is not None  # noqa: S101
    return _installed
