"""A territory's profile is read whole or refused with the place of the mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakou.kernel.errors import BadRequest, NotFound
from lakou.territory.profile import BUILT_IN, decode_profile, known_profiles, load_profile, read_profile
from lakou.territory.profile_rules import problems

LAMENTIN = (BUILT_IN / "le-lamentin.toml").read_bytes()


@pytest.mark.parametrize("name", known_profiles())
def test_each_built_in_profile_reads_and_draws_inside_its_bounds(name: str) -> None:
    profile = load_profile(name)
    west, south, east, north = profile.bounds
    for label in profile.label:
        assert west < label.at[0] < east
        assert south < label.at[1] < north
    assert "land" in {shape.kind for shape in profile.outline}


def test_le_lamentin_is_drawn_with_its_commune() -> None:
    assert {shape.kind for shape in load_profile("le-lamentin").outline} >= {"land", "commune"}


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
        (b'code = "97213"', b'code = "972130"', "commune[0].code"),
        (b"population = 39400", b"population = 0", "commune[0].population"),
        (b'epci = "cacem"', b'epci = "ccam"', "commune[0].epci"),
        (b'siren = "249720061"', b'siren = "24972006"', "organisation[2].siren"),
        (b'key = "cacem"', b'key = "ctm"', "commune[0].epci"),
        (b'key = "cyclone"', b'key = "dragon"', "hazard[1].key"),
        (b'day = "05-22"', b'day = "05-32"', "holiday[0].day"),
        (b'languages = ["fr", "gcf", "en"]', b'languages = ["fran\xc3\xa7ais"]', "languages[0]"),
        (b"at = [-60.969, 14.640]", b"at = [14.640, -160.969]", "label[0].at"),
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


def test_martinique_has_its_34_communes_in_three_groups() -> None:
    profile = load_profile("martinique")
    assert len(profile.commune) == 34
    groups = {key: sum(1 for one in profile.commune if one.epci == key) for key in ("cacem", "cap-nord", "espace-sud")}
    assert groups == {"cacem": 4, "cap-nord": 18, "espace-sud": 12}
    assert sum(one.population or 0 for one in profile.commune) == 360_630
    assert [one.code for one in profile.commune] == [f"972{number:02d}" for number in range(1, 35)]


def test_communes_and_groups_are_those_of_the_published_geodata(sample: Callable[[str], bytes]) -> None:
    profile = load_profile("martinique")
    sirens = {one.key: one.siren for one in profile.organisation}
    found = {one.code: (one.name, sirens[one.epci], one.population) for one in profile.commune}
    features = json.loads(sample("geo/martinique/communes.geojson"))["features"]
    published = [feature["properties"] for feature in features]
    assert found == {one["code"]: (one["nom"], one["codeEpci"], one["population"]) for one in published}


def test_the_profiles_name_the_hazards_of_le_lamentin_and_mark_what_nobody_has_checked() -> None:
    for name in known_profiles():
        profile = load_profile(name)
        assert {"earthquake", "cyclone", "flood", "submersion", "landslide", "volcano", "tsunami", "drought",
                "industrial"} <= {one.key for one in profile.hazard}  # fmt: skip
        assert all(one.to_verify for one in profile.hazard)
        assert {"ctm", "cacem", "prefecture"} <= {one.key for one in profile.organisation}


def test_all_problems_are_listed_at_once() -> None:
    text = LAMENTIN.replace(b'key = "cyclone"', b'key = "dragon"').replace(b'day = "05-22"', b'day = "never"')
    assert [problem.place for problem in problems(decode_profile(text))] == ["hazard[1].key", "holiday[0].day"]
