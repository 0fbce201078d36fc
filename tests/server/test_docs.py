"""The documentation points at things that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_package_is_on_the_code_map() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    packages = [folder.name for folder in (ROOT / "lakou").iterdir() if (folder / "__init__.py").exists()]
    assert [name for name in packages if f"`lakou/{name}`" not in text] == []


def test_every_module_that_the_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_/]+\.py)`", text))
    parts = ("sensorthings", "connectors", "identity", "territory", "server")
    folders = ("lakou", *(f"lakou/{part}" for part in parts), "bench", ".")
    roots = [ROOT / folder for folder in folders]
    missing = [name for name in named if not any((root / name).exists() for root in roots)]
    assert sorted(missing) == ["lakou/x/y.py", "tests/x/test_y.py"]
