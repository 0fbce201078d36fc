"""Plans of $apply: keys, aggregates and what cannot be grouped."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar.options import parse_query_string
from lakou.sensorthings.grammar.path import parse_path
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.plan.apply import plan_apply
from lakou.sensorthings.plan.read import Asker
from lakou.sensorthings.plan.target import resolve
from lakou.sensorthings.plan.values import ApplyPlan
from lakou.sensorthings.sql.apply import is_time


def plan(path: str, text: str, more: str = "") -> ApplyPlan:
    options = parse_query_string(f"$apply={quote(text)}{more}")
    return plan_apply(resolve(parse_path(path)), options, Asker(Limits(), 0, "me"))


def test_keys_and_aggregates_have_their_names() -> None:
    found = plan(
        "Observations",
        "groupby((Datastream/name,bucket(phenomenonTime,duration'PT1H') as hour),"
        "aggregate(result with mean as mean,$count as n))",
    )
    assert [k.alias for k in found.keys] == ["Datastream/name", "hour"]
    assert [(a.alias, a.method) for a in found.aggregates] == [("mean", "mean"), ("n", "count")]
    assert [is_time(k) for k in found.keys] == [False, True]
    assert found.keys[1].width == 3_600_000_000


def test_filters_of_both_kinds_are_joined_and_the_page_bounded() -> None:
    found = plan("Observations", "filter(result gt 1)/aggregate($count as n)", "&$filter=id+gt+2&$top=5&$skip=2")
    assert type(found.where).__name__ == "And"
    assert (found.limit, found.skip) == (5, 2)
    assert plan("Observations", "aggregate($count as n)").limit == Limits().groups


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("Observations(1)", "aggregate($count as n)", "apply"),
        ("Observations", "aggregate(result with median as m)", None),
        ("Observations", "aggregate(Datastream/id with max as m)", "apply"),
        ("Things", "aggregate(id with first as f)", "apply"),
        ("Things", "groupby((Datastreams/name))", "apply"),
        ("Locations", "groupby((location))", "apply"),
        ("Observations", "groupby((bucket(result/a/b,duration'PT0S') as h))", None),
        ("Observations", "groupby((bucket(id,duration'PT1H') as h))", "apply"),
        ("Things", "aggregate(name with sum as s)", "type_mismatch"),
        ("Things", "groupby((nme))", "unknown_name"),
        ("Things", "aggregate(id with max as a,id with min as a)", None),
    ],
)
def test_what_cannot_be_grouped_is_refused(path: str, text: str, code: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        plan(path, text)
    if code is not None:
        assert caught.value.error_code == code
