"""Every requirement id has at least one test that names it (OGC 18-088 annex A)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conformance.requirements import ALL

HERE = Path(__file__).parent


def _named_ids() -> set[str]:
    """The ids in `@requirement(…)` decorators of the test functions in this folder, read from the source."""
    found: set[str] = set()
    for module in HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                for decorator in node.decorator_list:
                    if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "requirement":
                        found |= {str(ast.literal_eval(argument)) for argument in decorator.args}
    return found


NAMED = _named_ids()


@pytest.mark.parametrize("identifier", ALL)
def test_requirement_has_a_test(identifier: str) -> None:
    assert identifier in NAMED
