"""Writes the pages of docs/reference that are made from the code, and checks that they are up to date.

`python -m lakou.server.reference` writes them, `--check` only compares (make check). The tables of the code are
the one source: the command tree, the options, the errors, the rights.
"""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import typer.main

from lakou.identity import policy
from lakou.identity.journal.acts import ACTS
from lakou.identity.policy.actor import ROLE_WORDS
from lakou.identity.policy.rules import WHEN_WORDS
from lakou.kernel import errors
from lakou.sensorthings.limits import Limits
from lakou.server import cli
from lakou.server.config import OPTIONS, Config
from lakou.server.endpoints import COLUMNS, ENDPOINTS
from lakou.server.families import FAMILIES
from lakou.server.readiness import CHECKS
from lakou.territory import plain
from lakou.territory.findings import CAUSES
from lakou.territory.kinds import HAZARDS, LAYER_KINDS, PLACE_KINDS
from lakou.territory.mediation import standard

DOCS = Path(__file__).parents[2] / "docs" / "reference"
MADE = "<!-- Made by `make docs` from the code; change it there. -->\n"


def commands_page() -> str:
    """docs/reference/cli.md, from the typer application."""
    tree = cast(Any, typer.main.get_command(cli.application()))
    parts = [MADE, "# The `lakou` command\n", (cli.__doc__ or "").strip().split("\n\n")[0] + "\n"]
    parts.append(
        "Options that are settings can also stand in the environment or in `lakou.toml`: "
        "see [configuration](configuration.md).\n"
    )
    for name, command in _walk(tree, "lakou"):
        parts.append(f"## `{name}`\n")
        parts.append((inspect.cleandoc(command.help) if command.help else "") + "\n")
        rows = [
            row for parameter in command.params if not getattr(parameter, "hidden", False) for row in [_row(parameter)]
        ]
        if rows:
            parts.append("| option or argument | meaning |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield name, command
    for child in sorted(children):
        if not children[child].hidden:
            yield from _walk(children[child], f"{name} {child}")


def _row(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    shown = ", ".join(parameter.opts) if is_option else parameter.name.upper()
    wanted = " **(required)**" if parameter.required else ""
    given = parameter.default
    default = f" Default: `{given}`." if isinstance(given, int | float | str) and not isinstance(given, bool) else ""
    return f"| `{shown}` | {_cell(parameter.help or '')}.{wanted}{default} |".replace("..", ".")


def configuration_page() -> str:
    """docs/reference/configuration.md, from the table of options."""
    parts = [MADE, "# Configuration\n"]
    parts.append(
        "What is given on the command line wins over the environment, that over `lakou.toml`, that over the default. "
        "The file is the one of `--config` or `LAKOU_CONFIG`, else `lakou.toml` in the folder of the start.\n"
    )
    parts.append("| `lakou.toml` | environment | meaning | values | default |\n|---|---|---|---|---|")
    for option in OPTIONS:
        default = _default_of(option.field)
        values = ", ".join(option.choices) or (f"{option.low} to {option.high}" if option.high else option.kind)
        parts.append(f"| `{option.toml}` | `{option.env}` | {_cell(option.meaning)} | {values} | {default} |")
    parts.append("\n## `[limits]`\n")
    parts.append("Bounds on what one request may ask: sizes in bytes, times in seconds, rates a second (0: none).\n")
    parts.append("| limit | default |\n|---|---|")
    parts.extend(f"| `{name}` | {getattr(Limits(), name)} |" for name in Limits.__struct_fields__)
    parts.append("\n## Tables of other packages\n")
    parts.append("Tables such as `[connectors.usgs_earthquakes]` belong to the packages that they name.\n")
    parts.append(
        '```toml\nport = 8000\nbase_url = "https://lakou.example.org"\n'
        'database_url = "postgresql://lakou@db.example.org/lakou"\n\n'
        "[connectors.usgs_earthquakes]\nenabled = true\n```\n"
    )
    return "\n".join(parts)


def _default_of(field: str) -> str:
    if field == "data_dir":
        return "`data`"
    value = getattr(Config(data_dir=Path()), field)
    return "–" if value in (None, ()) else f"`{value}`"


def errors_page() -> str:
    """docs/reference/errors.md, from the closed family of errors."""
    parts = [MADE, "# Errors\n"]
    parts.append(
        "Every refusal is JSON with `code`, `status` and `message`, and where it helps `place` "
        "(a position in the address such as `$filter:12`, or a pointer into the body such as `/result`) and `hint`. "
        "`code` may be more precise than the family's; the status is always the family's.\n"
    )
    parts.append("| status | family's code | when |\n|---|---|---|")
    family = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.LakouError)]
    for kind in sorted(family, key=lambda kind: (kind.status, kind.code)):
        if kind is not errors.LakouError:
            said = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].partition(": ")[2]
            parts.append(f"| {kind.status} | `{kind.code}` | {_cell(said)} |")
    return "\n".join(parts) + "\n"


def metrics_page() -> str:
    """docs/reference/metrics.md, from the table of figures and that of the checks of readiness."""
    parts = [MADE, "# Figures and readiness\n", "## `/metrics`\n"]
    parts.append(
        "In the text form of Prometheus, for a token with the role agent or admin "
        "(`Authorization: Bearer lk_…`). Counters count since the start of the process.\n"
    )
    parts.append("| name | kind | labels | meaning |\n|---|---|---|---|")
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels) or "–"
        parts.append(f"| `{family.name}` | {family.kind} | {labels} | {_cell(family.meaning)} |")
    parts.append(
        "\nBeside them stand `process_…` and `python_gc_…` of the Prometheus client library: memory, processor, open "
        "files, start time.\n"
    )
    parts.append(
        "With several processes (`--workers` on PostgreSQL) a request reaches any of them, and each answers for "
        "itself: every figure then has the label `worker`, the number of the process. Sum counters over it, take the "
        "greatest of `lakou_database_bytes` and `lakou_change_log_…`, which are of the one database. For a steady "
        "view of each process run them as services of their own on ports of their own.\n"
    )
    parts.append("## `/readyz`\n")
    parts.append(
        "200 when every check of the wanted part holds, else 503; the body lists `checks`, and `reasons` with a `key` "
        "for programs and a `message` in French. `/readyz?for=data` is for what routes sensors, `/readyz?for=civic` "
        "for what routes pages, `/readyz` asks for both. `warnings` (`clock_off`, `clock_free`, `change_log_held`) do "
        "not make it 503. `/healthz` says only that the process answers.\n"
    )
    parts.append("| check | parts | key of the reason | message |\n|---|---|---|---|")
    parts.extend(
        f"| `{check.name}` | {', '.join(check.planes)} | `{check.key}` | {_cell(check.message)} |" for check in CHECKS
    )
    return "\n".join(parts) + "\n"


def territory_page() -> str:
    """docs/reference/territory.md, from the tables of kinds, of causes and of the mediation standard."""
    parts = [MADE, "# Places, layers and what an import says\n"]
    for title, kinds in (("Kinds of places", PLACE_KINDS), ("Kinds of layers", LAYER_KINDS), ("Hazards", HAZARDS)):
        parts.append(f"## {title}\n\n| key | label | icon |\n|---|---|---|")
        parts.extend(f"| `{kind.key}` | {kind.label} | {kind.icon} |" for kind in kinds)
        parts.append("")
    parts.append(
        "Icons are names of drawings of Maki and Temaki (CC0). A profile names its hazards by these keys; facts of a "
        "profile marked `to_verify` rest on general knowledge.\n"
    )
    parts.append("## Findings\n")
    parts.append(
        "An error keeps the row or feature out and the report holds it whole; a warning lets it in. Texts are French, "
        "for whoever looks after the data.\n\n| code | severity | text |\n|---|---|---|"
    )
    parts.extend(f"| `{cause.code}` | {cause.severity} | {_cell(cause.text)} |" for cause in CAUSES.values())
    parts.append(f"\n## Columns of the mediation standard {standard.VERSION}\n")
    parts.append("| column | required | what is checked |\n|---|---|---|")
    parts.extend(f"| `{one.name}` | {'yes' if one.required else ''} | {_checked(one)} |" for one in standard.COLUMNS)
    parts.append("\n## Columns of plain tables of places\n\n| column | also |\n|---|---|")
    parts.extend(f"| `{name}` | {', '.join(f'`{alias}`' for alias in also)} |" for name, also in plain.COLUMNS.items())
    return "\n".join(parts) + "\n"


def _checked(column: standard.Column) -> str:
    said = []
    if column.pattern is not None:
        said.append("`" + column.pattern.pattern.replace("|", "\\|") + "`, whole")
    if column.longest:
        said.append(f"at most {column.longest} characters")
    if column.values:
        said.append("listed: " + "; ".join(column.values))
    elif column.form != "text":
        said.append(column.form)
    if column.is_list:
        said.append("several, joined by `\\|`")
    return ", ".join(said)


def rights_page() -> str:
    """docs/reference/rights.md, from the table of the policy and that of the endpoints."""
    parts = [MADE, "# Rights\n", "What no line names is refused. Why it is so: [rights](../explanation/rights.md).\n"]
    parts.append("## Who may do what\n")
    parts.append("| what | to which object | who | under which conditions |\n|---|---|---|---|")
    for rule in policy.RULES:
        actions = ", ".join(rule.actions)
        when = "; ".join(WHEN_WORDS[condition] for condition in rule.when) or "–"
        parts.append(f"| {actions} | {rule.kind} | {', '.join(rule.roles).replace('_', ' ')} | {_cell(when)} |")
    parts.append("\n## Roles\n")
    parts.append("| role | in French |\n|---|---|")
    parts.extend(f"| {role.replace('_', ' ')} | {_cell(words)} |" for role, words in ROLE_WORDS.items())
    parts.append("\n## Every endpoint and what each role is answered\n")
    parts.append(
        f"{len(ENDPOINTS)} endpoints × {len(COLUMNS)} columns = {len(ENDPOINTS) * len(COLUMNS):,} cells; "
        "[every one is asked of the running product](matrix.md). Endpoints that answer alike stand together.\n"
    )
    parts.append(
        "`{public}` and `{restricted}` are entities that `device` has made, `{property}` each of their properties. "
        "People hold their role in the organisation of the site and have shown a second factor; `foreign` is the "
        "administrator of another organisation, `other` a device of another one, `scoped` a token that was given the "
        "public Datastream, `forged` no token, or none any more. CONNECT, PUBLISH, SUBSCRIBE and UNSUBSCRIBE are MQTT, "
        "their cells reason codes. FIND says whether the entity is found in the set, HEAR whether the subscriber is "
        "told: 1 or 0.\n"
    )
    names = " | ".join(column.replace("_", " ") for column in COLUMNS)
    parts.append(f"| endpoint | {names} |\n|---|{'---|' * len(COLUMNS)}")
    alike: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for one in ENDPOINTS:
        form = f" ({one.form})" if one.form else ""
        alike.setdefault((one.method, one.statuses), []).append(f"`{one.method} {one.path}`{form}")
    parts.extend(
        f"| {'<br>'.join(names)} | {' | '.join(map(str, statuses))} |" for (_, statuses), names in alike.items()
    )
    return "\n".join(parts) + "\n"


LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")


def journal_page() -> str:
    """docs/reference/journal.md, from the table of acts."""
    parts = [MADE, "# Acts of the journal\n"]
    parts.append(
        "What stands in the journal, under which name and level (RFC 5424; a failure is at least a warning), and its "
        "category and type of the Elastic Common Schema. Acts of alerts, rules, crises and settings have their words "
        "for parts of the product that are still to come. How to read it: [journal](../how-to/journal.md).\n"
    )
    parts.append("| act | on the page | level | category, type |\n|---|---|---|---|")
    parts.extend(
        f"| `{act.name}` | {act.words} | {LEVELS[act.severity]} | {act.category}, {act.type} |" for act in ACTS.values()
    )
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").rstrip(".")


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands_page,
    "configuration.md": configuration_page,
    "errors.md": errors_page,
    "journal.md": journal_page,
    "metrics.md": metrics_page,
    "territory.md": territory_page,
    "rights.md": rights_page,
}


def main(arguments: list[str]) -> int:
    """Write or check; 1 when a page is out of date."""
    stale = 0
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        stored = path.read_text(encoding="utf-8") if path.exists() else ""
        if stored == text:
            continue
        if "--check" in arguments:
            stale = 1
            print(f"docs/reference/{name} is out of date: make docs")
            print("\n".join(difflib.unified_diff(stored.splitlines(), text.splitlines(), lineterm="", n=0)))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"docs/reference/{name} written")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
