"""A territory's profile is read whole or refused with the place of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakou.kernel.errors import BadRequest, NotFound
from lakou.territory.profile import BUILT_IN, known_profiles, load_profile, read_profile

LAMENTIN = (BUILT_IN / "le-lamentin.toml").read_bytes()


@pytest.mark.parametrize("name", known_profiles())
def test_each_built_in_profile_reads_and_draws_inside_its_bounds(name: str) -> None:
    profile = load_profile(name)
    west, south, east, north = profile.bounds
    for label in profile.label:
        assert west < label.at[0] < east
        assert south < label.at[1] < north
    assert {shape.kind for shape in profile.outline} >= {"land", "commune"}


def test_le_lamentin_keeps_the_time_of_martinique() -> None:
    profile = load_profile("le-lamentin")
    assert (profile.name, profile.region, profile.time_zone) == ("Le Lamentin", "Martinique", "America/Martinique")
    assert profile.languages[0] == "fr"


def test_a_site_may_name_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "ailleurs.toml"
    path.write_bytes(LAMENTIN.replace(b'name = "Le Lamentin"', b'name = "Ailleurs"', 1))
    assert load_profile(str(path)).name == "Ailleurs"


@pytest.mark.parametrize("name", ["nowhere", "../secrets", "", "a/b"])
def test_an_unknown_name_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        load_profile(name)
    assert "le-lamentin" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (b"[-61.080, 14.548, -60.930, 14.692]", b"[-60.930, 14.548, -61.080, 14.692]", "bounds"),
        (b"centre = [-60.998, 14.613]", b"centre = [14.613, -60.998]", "centre"),
        (b"America/Martinique", b"America/Nowhere", "time_zone"),
    ],
)
def test_a_wrong_value_is_named(old: bytes, new: bytes, place: str) -> None:
    assert old in LAMENTIN
    with pytest.raises(BadRequest) as caught:
        read_profile(LAMENTIN.replace(old, new, 1))
    assert (caught.value.error_code, caught.value.place) == ("profile_invalid", place)


@pytest.mark.parametrize("data", [b"", b"name = ", b"\xff", LAMENTIN + b"\n[extra]\na = 1\n"])
def test_a_broken_or_unknown_field_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        read_profile(data)
