"""Every connector is documented, from its META."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakou.connectors import reference
from lakou.connectors.connector import BUILT_IN, connector, connectors
from lakou.kernel.errors import BadRequest, NotFound

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "connectors.md"


def test_the_reference_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    hint = "run: python -m lakou.connectors.reference docs/reference/connectors.md"
    assert reference.replace_generated(text, reference.render(reference.built_in())) == text, hint


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_connector_is_documented(name: str) -> None:
    assert f"| `{name}` |" in PAGE.read_text(encoding="utf-8")
    meta = connector(name).meta
    assert meta.name == name
    assert meta.title
    assert meta.licence
    assert meta.region
    assert meta.home.startswith("https://")
    assert (meta.period_s is None) == (connector(name).fetch is None)


def test_every_module_with_meta_is_known() -> None:
    folder = Path(reference.__file__).parent
    having = {path.stem for path in folder.glob("*.py") if "\nMETA = " in path.read_text(encoding="utf-8")}
    assert having == set(BUILT_IN) <= set(connectors())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NotFound) as refused:
        connector("nothing")
    assert "usgs_earthquakes" in (refused.value.hint or "")


def test_a_page_without_marks_is_not_overwritten() -> None:
    with pytest.raises(BadRequest):
        reference.replace_generated("# Connectors", "table")
