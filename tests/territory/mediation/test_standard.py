"""The standard as data is the standard as published (civic §3.1)."""

from __future__ import annotations

import json
from collections.abc import Callable

from lakou.territory.mediation.standard import BY_NAME, COLUMNS, NAMES, SERVICES


def test_there_are_32_columns_seven_of_them_required() -> None:
    assert len(NAMES) == len(set(NAMES)) == 32
    required = {column.name for column in COLUMNS if column.required}
    assert required == {"id", "pivot", "nom", "commune", "code_postal", "adresse", "date_maj"}


def test_the_published_schema_has_the_same_columns_needs_and_values(sample: Callable[[str], bytes]) -> None:
    schema = json.loads(sample("mediation/standard-mediation-num-1.0.2.schema.json"))
    assert schema["version"] == "v1.0.2"
    assert [one["name"] for one in schema["fields"]] == list(NAMES)
    for one in schema["fields"]:
        column, constraints = BY_NAME[one["name"]], one.get("constraints") or {}
        assert column.required == bool(constraints.get("required")), one["name"]
        assert column.longest == constraints.get("maxLength", 0)
        pattern = constraints.get("pattern", "")
        if pattern.startswith("(?:(?:^|"):
            listed = pattern.removeprefix("(?:(?:^|\\|)(").removesuffix("))+$").replace("\\(", "(").replace("\\)", ")")
            assert "|".join(column.values) == listed
        elif pattern:
            assert column.pattern
            assert pattern.removeprefix("^").removesuffix("$") == column.pattern.pattern


def test_services_are_the_nine_of_the_standard() -> None:
    assert len(SERVICES) == 9
