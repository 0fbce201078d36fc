"""The tables of lakou.toml: off by default, wrong values refused with their place."""

from __future__ import annotations

from typing import Any

import pytest

from lakou.connectors.configuration import settings
from lakou.kernel.errors import BadRequest


def test_no_source_is_polled_unless_it_is_enabled() -> None:
    assert settings({}).periods_s == {}
    assert settings({"ioc_sealevel": {"stations": ["ftfr"]}}).periods_s == {}


def test_an_enabled_source_has_its_period() -> None:
    tables = {"ioc_sealevel": {"enabled": True}, "usgs_earthquakes": {"enabled": True, "period_s": 120}}
    assert settings(tables).periods_s == {"ioc_sealevel": 300, "usgs_earthquakes": 120}


def test_a_pushing_source_is_never_polled() -> None:
    assert settings({"lorawan": {"enabled": True}}).periods_s == {}


def test_limits_and_allowed_hosts() -> None:
    found = settings({"allow_hosts": ["Sensors.Internal"], "lorawan": {"max_unclaimed": 5}})
    assert found.max_unclaimed == 5
    assert found.policy.allow_hosts == {"sensors.internal"}
    assert not found.policy.allow_loopback
    assert settings({}).max_unclaimed == 100


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        ({"lorawan": 5}, "connectors.lorawan"),
        ({"ioc_sealevel": {"enabled": "yes"}}, "connectors.ioc_sealevel.enabled"),
        ({"ioc_sealevel": {"enabled": True, "period_s": 1}}, "connectors.ioc_sealevel.period_s"),
        ({"lorawan": {"max_unclaimed": "many"}}, "connectors.lorawan.max_unclaimed"),
        ({"lorawan": {"max_unclaimed": True}}, "connectors.lorawan.max_unclaimed"),
        ({"allow_hosts": "a.internal"}, "connectors.allow_hosts"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(tables: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequest) as refused:
        settings(tables)
    assert refused.value.place == place
