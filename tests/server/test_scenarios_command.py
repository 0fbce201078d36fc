"""`lakou scenario`: lists, shows and checks without a simulator, and says so when none runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakou.kernel.errors import BadRequest, Unavailable
from lakou.server.commands import scenarios


def test_the_scenarios_are_listed_and_shown_with_their_injects(capsys: pytest.CaptureFixture[str]) -> None:
    scenarios.list_()
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("ordinaire", "crue-lezarde", "seisme-tsunami", "cyclone"))
    scenarios.show("seisme-tsunami")
    shown = capsys.readouterr().out
    assert "À calibrer" in shown
    assert "EXERCICE – Marégraphe du port : −0,6 m." in shown


def test_a_scenario_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "orage.yaml"
    file.write_text('name: orage\ntitle: "EXERCICE"\nsummary: EXERCICE\nto_calibrate: x\nduration_min: 5\n')
    scenarios.check(file)
    assert "orage.yaml is well" in capsys.readouterr().out
    file.write_text(file.read_text() + "duration: 5\n")
    with pytest.raises(BadRequest, match="duration"):
        scenarios.check(file)
    with pytest.raises(BadRequest, match="cannot be read"):
        scenarios.check(tmp_path / "none.yaml")


def test_without_a_simulator_its_commands_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No simulator runs") as caught:
        scenarios.state(tmp_path)
    assert "lakou demo" in (caught.value.hint or "")
