"""The generated pages of docs/reference say what the code says."""

import pytest

from lakou.kernel import errors
from lakou.server import reference


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (reference.DOCS / name).read_text(encoding="utf-8") == reference.PAGES[name]()


def test_every_error_of_the_family_is_documented_with_a_meaning() -> None:
    page = reference.errors_page()
    for kind in errors.LakouError.__subclasses__():
        assert f"| {kind.status} | `{kind.code}` | " in page
    assert "|  |" not in page
