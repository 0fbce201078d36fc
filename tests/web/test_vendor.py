"""Third-party files are copied, listed and declared; without them the pages still work."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from lakou.kernel.errors import NotFound
from lakou.web.vendor import CHECKOUT, COPIES, copy_files, fetch


def fake_modules(folder: Path) -> Path:
    for copy in COPIES:
        package = folder / copy.package
        (package / copy.source).parent.mkdir(parents=True, exist_ok=True)
        (package / copy.source).write_bytes(copy.name.encode())
        (package / "package.json").write_text(json.dumps({"version": "1.2.3", "license": "OFL-1.1"}))
    return folder


def test_files_are_copied_with_version_licence_and_digest(tmp_path: Path) -> None:
    vendor = tmp_path / "vendor"
    names = copy_files(fake_modules(tmp_path / "node_modules"), vendor)
    listed = json.loads((vendor / "vendor.json").read_text())
    assert [entry["file"] for entry in listed] == names
    assert listed[0]["sha256"] == sha256((vendor / names[0]).read_bytes()).hexdigest()
    assert listed[0]["licence"] == "OFL-1.1"
    rules = (vendor / "font.css").read_text()
    assert all(f'url("{name}")' in rules for name in names if name.endswith(".woff2"))


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="fontsource"):
        copy_files(tmp_path, tmp_path / "vendor")


def test_outside_a_checkout_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="package-lock"):
        fetch(tmp_path)


def test_the_lock_names_no_host_and_pins_every_package() -> None:
    lock = json.loads((CHECKOUT / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("resolved" not in entry and entry["integrity"].startswith("sha512-") for entry in packages.values())
