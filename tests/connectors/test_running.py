"""One run of a connector: from a file, from its source, and how failures are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakou.connectors import inbound
from lakou.connectors.running import run_connector
from lakou.kernel.errors import BadRequest, NotFound
from lakou.sensorthings.access import ADMIN
from tests.connectors.conftest import SHIPPED, Scenario

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

Play = Callable[[Scenario], None]


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("lorawan", "chirpstack_up.json"),
        ("lorawan", "tts_uplink.json"),
        ("ioc_sealevel", "ioc_ftfr_20261120.json"),
        ("ioc_sealevel", "ioc_ftfr_20261120.html"),
        ("usgs_earthquakes", "usgs_2.5_day.json"),
    ],
)
def test_every_shipped_sample_runs(play: Play, name: str, sample: str) -> None:
    async def scenario(service: Service) -> None:
        side = inbound.make(service, {})
        result = await run_connector(name, entities=side.entities, principal=ADMIN, file=SHIPPED / sample)
        assert (result.outcome, result.refused, result.error) == ("ok", 0, "")
        assert result.count > 0

    play(scenario)


def test_a_document_that_cannot_be_read_is_a_failed_run_with_one_short_line(play: Play, tmp_path: Path) -> None:
    file = tmp_path / "page.json"
    file.write_text("<html>maintenance</html>")

    async def scenario(service: Service) -> None:
        side = inbound.make(service, {})
        result = await run_connector("usgs_earthquakes", entities=side.entities, principal=ADMIN, file=file)
        assert result.outcome == "failed"
        assert 0 < len(result.error) <= 300
        assert str(tmp_path) not in result.error

    play(scenario)


def test_a_wrong_call_is_refused(play: Play, tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        entities = inbound.make(service, {}).entities
        with pytest.raises(NotFound):
            await run_connector("nothing", entities=entities, principal=ADMIN)
        with pytest.raises(NotFound):
            await run_connector("lorawan", entities=entities, principal=ADMIN, file=tmp_path / "none.json")
        with pytest.raises(BadRequest):
            await run_connector("lorawan", entities=entities, principal=ADMIN)

    play(scenario)


def test_a_source_without_settings_fails_and_says_which(play: Play) -> None:
    async def scenario(service: Service) -> None:
        side = inbound.make(service, {})
        result = await run_connector("ioc_sealevel", entities=side.entities, principal=ADMIN)
        assert result.outcome == "failed"
        assert "[stations]" in result.error

    play(scenario)
