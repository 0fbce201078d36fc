"""The commands of the territory on the running product: files in, pages, API and archive out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import httpx
import pytest

from tests.harness.server import Server
from tests.server.test_cli import lakou
from tests.territory.actions.test_places import BAD, HEADER, OTHER, ROW, csv_of


@pytest.fixture(scope="module")
def where(server: Server) -> list[str]:
    """The words that point a command at the running product's databases."""
    url = ["--database-url", server.database_url] if server.database_url else []
    return ["--data", str(server.data), *url]


def test_a_steward_imports_reads_the_report_and_gets_the_file_back(
    server: Server, where: list[str], tmp_path: Path
) -> None:
    file, report = tmp_path / "lieux.csv", tmp_path / "rapport.csv"
    file.write_bytes(csv_of(ROW, BAD, OTHER))
    done = lakou("place", "import", str(file), "--report", str(report), *where)
    assert done.returncode == 1, done.stderr
    assert "2 créés, 0 modifiés, 0 inchangés, 1 refusés" in done.stdout
    assert "Offert" in done.stdout
    (line,) = csv.DictReader(report.read_text(encoding="utf-8-sig").splitlines())
    assert (line["ligne"], line["colonne"], line["code"], line["valeur"]) == (
        "3",
        "frais_a_charge",
        "enumeration",
        "Offert",
    )
    assert line["ligne_entiere"] == BAD
    exported = lakou("place", "export", "--kind", "mediation", "--source", "mediation", *where)
    assert exported.stdout.splitlines() == [HEADER, ROW, OTHER]
    found = httpx.get(f"{server.origin}/api/places?commune=97213").json()["value"]
    assert [one["source_id"] for one in found] == ["a-1", "a-2"]
    for address in ("/lieux/", f"/lieux/{found[0]['id']}/"):
        page = httpx.get(server.origin + address)
        assert page.status_code == 200
        assert "Ti Lakou" in page.text
    described = httpx.get(f"{server.origin}/api/openapi.json").json()
    assert described["paths"]["/api/places"]["servers"] == [{"url": server.origin}]


def test_a_layer_is_imported_and_archived(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "data")]
    ring = [[-61.0, 14.6], [-60.99, 14.6], [-60.99, 14.61], [-61.0, 14.6]]
    zone = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    file = tmp_path / "zones.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [zone]}))
    said = [
        "--key",
        "pprn",
        "--kind",
        "hazard",
        "--hazard",
        "flood",
        "--title",
        "PPRN",
        "--source",
        "DEAL",
        "--licence",
        "LO",
    ]
    done = lakou("layer", "import", str(file), *said, *data)
    assert done.returncode == 0, done.stderr
    assert "1 créés" in done.stdout
    assert lakou("migrate", *data).returncode == 0
    made = lakou("backup", *data).stdout.splitlines()[-1]
    manifest = json.loads((Path(made) / "manifest.json").read_text())
    rows = manifest["databases"]["civic"]["rows"]
    assert (rows["territory_layer"], rows["territory_zone"], rows["territory_place"]) == (1, 1, 0)
    assert "territory.0001_initial" in manifest["databases"]["civic"]["migrations"]


def test_a_wrong_call_says_what_to_do_and_has_its_exit_code(tmp_path: Path) -> None:
    done = lakou("place", "import", "nowhere.csv", "--data", str(tmp_path / "data"))
    assert (done.returncode, "cannot be read" in done.stderr) == (3, True)


def test_a_profile_is_checked_with_every_mistake_and_its_place(tmp_path: Path) -> None:
    from lakou.territory.profile import BUILT_IN

    file = tmp_path / "profile.toml"
    text = (BUILT_IN / "le-lamentin.toml").read_text()
    file.write_text(text.replace('"97213"', '"9721"').replace('day = "05-22"', 'day = "never"'))
    done = lakou("territory", "check", str(file))
    assert done.returncode == 1
    for place in ("insee", "commune[0].code", "holiday[0].day"):
        assert f"{place}: " in done.stdout
