"""What the pages say of a place: phones as people dial them, links only where they are safe, holidays unsure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lakou.territory.profile import load_profile
from tests.territory.conftest import NOW

MARTINIQUE = load_profile("martinique")
THURSDAY = datetime(2026, 11, 26, 10, tzinfo=UTC)


def said(local: datetime = THURSDAY, **more: object) -> object:
    from lakou.territory.models import Place
    from lakou.web.places.wording import say

    values = {"pk": 1, "kind": "mediation", "name": "A", "source": "s", "source_id": "1", "updated": NOW, **more}
    return say(Place(**values), 1, MARTINIQUE, local)


@pytest.mark.parametrize(
    ("phone", "text"),
    [
        ("+596596500000", "0596\u00a050\u00a000\u00a000"),
        ("+33180059880", "01\u00a080\u00a005\u00a098\u00a080"),
        ("+687123456", "+687 123456"),
    ],
)
def test_phones_are_written_as_they_are_dialled(phone: str, text: str) -> None:
    ((title, (link,)),) = said(contacts={"phone": phone}).contacts  # type: ignore[attr-defined]
    assert (title, link.text, link.href) == ("Téléphone", text, f"tel:{phone}")


@pytest.mark.parametrize(
    "web", ["javascript:alert(1)", "exemple.fr", "https://a b", 'https://a"onclick=x', "ftp://a.fr"]
)
def test_only_addresses_of_sites_become_links(web: str) -> None:
    ((_, (link,)),) = said(contacts={"web": web}).contacts  # type: ignore[attr-defined]
    assert link.href == ""
    assert said(properties={"prise_rdv": web}).links == []  # type: ignore[attr-defined]


def test_nobody_is_told_open_on_a_local_holiday() -> None:
    hours = "Mo-Fr 08:00-12:00"
    assert said(opening_hours=hours).now == "ouvert en ce moment"  # type: ignore[attr-defined]
    abolition = datetime(2026, 5, 22, 10, tzinfo=UTC)
    assert said(abolition, opening_hours=hours).now == ""  # type: ignore[attr-defined]
    assert said(abolition, opening_hours=hours + "; PH off").now == "fermé en ce moment"  # type: ignore[attr-defined]


def test_on_a_customary_holiday_even_hours_for_holidays_settle_nothing() -> None:
    shrove_tuesday = datetime(2026, 2, 17, 10, tzinfo=UTC)
    assert said(shrove_tuesday, opening_hours="Mo-Fr 08:00-12:00; PH off").now == ""  # type: ignore[attr-defined]


def test_the_commune_is_named_by_the_profile_or_by_the_row() -> None:
    assert said(commune="97213").commune == "Le Lamentin"  # type: ignore[attr-defined]
    row = {"commune": "Bordeaux", "code_postal": "33000"}
    assert said(commune="33063", properties=row).commune == "33000 Bordeaux"  # type: ignore[attr-defined]
    assert said(commune="33063").commune == "33063"  # type: ignore[attr-defined]
