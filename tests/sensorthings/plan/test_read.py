"""Read plans: pages, order, selection and nested plans; options that mean nothing are refused."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
import pytest

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar.options import parse_query_string
from lakou.sensorthings.grammar.path import parse_path
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.plan.read import Asker, plan_read
from lakou.sensorthings.plan.target import resolve
from lakou.sensorthings.plan.values import Arm, Field, ReadPlan

LIMITS = Limits()


def plan(url: str, limits: Limits = LIMITS) -> ReadPlan:
    path, _, query = url.partition("?")
    options = parse_query_string(quote(query, safe="=&$;"))
    return plan_read(resolve(parse_path(path)), options, Asker(limits, 0, "me"))


def order(found: ReadPlan) -> list[tuple[str, bool, bool]]:
    names = []
    for term in found.order:
        value = term.value.value if isinstance(term.value, Arm) else term.value
        assert isinstance(value, Field)
        names.append((value.property.name, term.descending, term.nullable))
    return names


def test_page_size_is_cut_not_refused() -> None:
    assert plan("Things").limit == LIMITS.default_top
    assert plan("Things?$top=5").limit == 5
    assert plan("Things?$top=0").limit == 0
    assert plan("Things?$top=99999999").limit == LIMITS.max_top


def test_order_is_made_total_by_the_id() -> None:
    assert order(plan("Things")) == [("id", False, False)]
    assert order(plan("Things?$orderby=name desc")) == [("name", True, False), ("id", False, False)]
    assert order(plan("Things?$orderby=id desc")) == [("id", True, False)]
    assert order(plan("Things?$orderby=properties/a"))[0] == ("properties", False, True)
    assert len(order(plan("Things?$orderby=properties/a"))) == 4  # number, text, boolean, id
    assert order(plan("Things(1)")) == []


def test_observations_come_by_time_also_inside_expands() -> None:
    expected = [("phenomenonTime", False, False), ("id", False, False)]
    assert order(plan("Observations")) == expected
    assert order(plan("Datastreams?$expand=Observations").expands[0].plan) == expected


def test_select_reads_only_what_is_shown() -> None:
    found = plan("Things?$select=name,Datastreams")
    assert [p.name for p in found.fields] == ["id", "name"]
    assert [link.name for link in found.links] == ["Datastreams"]
    assert (found.show_id, found.show_self, found.explicit) == (False, False, True)
    assert plan("Things?$select=id").show_id
    assert plan("Things?$select=@iot.id").show_id
    assert plan("Things?$select=properties/a,properties/b").parts == (("properties", (("a",), ("b",))),)
    assert plan("Things?$select=properties/a,properties").parts == ()
    assert len(plan("Things?$select=*").fields) == 4


def test_observations_of_a_known_stream_need_not_look_it_up() -> None:
    assert plan("Observations").extras == ("multi",)
    assert plan("Datastreams(1)/Observations").extras == ()
    assert plan("Observations?$select=result").extras == ()
    assert "MultiDatastream" not in [link.name for link in plan("Datastreams(1)/Observations").links]


def test_nested_expands_are_merged() -> None:
    found = plan("Things?$expand=Datastreams/Observations,Datastreams($top=3)")
    (streams,) = found.expands
    assert streams.plan.limit == 3
    assert [e.name for e in streams.plan.expands] == ["Observations"]


def test_pages_of_deep_expands_get_smaller() -> None:
    limits = msgspec.structs.replace(LIMITS, expand_rows=20_000)
    deep = "Things?$expand=Datastreams($expand=Observations($expand=FeatureOfInterest($expand=Observations)))"
    streams = plan(deep, limits).expands[0].plan
    observations = streams.expands[0].plan
    inner = observations.expands[0].plan.expands[0].plan
    assert streams.limit > observations.limit >= inner.limit >= 1
    assert streams.limit * observations.limit * inner.limit * 100 <= 20_000 * 100


def test_a_to_one_expand_has_no_page() -> None:
    (thing,) = plan("Datastreams?$expand=Thing").expands
    assert (thing.plan.single, thing.plan.limit, thing.plan.order) == (True, 1, ())


def test_properties_of_a_multi_datastream_keep_their_positions() -> None:
    assert plan("MultiDatastreams(1)/ObservedProperties").positioned
    assert plan("MultiDatastreams?$expand=ObservedProperties").expands[0].plan.positioned
    assert not plan("MultiDatastreams(1)/ObservedProperties?$orderby=name").positioned


def test_count_path_and_references() -> None:
    assert (plan("Things/$count").count, plan("Things/$count").limit) == ("exact", 0)
    assert [p.name for p in plan("Things/$ref").fields] == ["id"]
    assert plan("Things?$count=true&$countMode=estimate").count == "estimate"
    assert plan("Things?$count=false").count is None


@pytest.mark.parametrize(
    ("url", "code", "place"),
    [
        ("Things?$select=nme", "unknown_name", "$select:0"),
        ("Things?$select=name,x/y", "unknown_name", "$select:5"),
        ("Things?$orderby=Datastreams/name", "order", "$orderby:0"),
        ("Locations?$orderby=location", "order", "$orderby:0"),
        ("Things?$orderby=nme", "unknown_name", "$orderby:0"),
        ("Things?$expand=Observations", "unknown_name", "$expand:0"),
        ("Things?$expand=Datastreams($expand=Nothing)", "unknown_name", "$expand:20"),
        ("Things?$expand=Datastreams($top=1),Datastreams($top=2)", "expand", "$expand:20"),
        ("Datastreams?$select=distinct:phenomenonTime", "distinct", "$select:9"),
        ("Things?$select=distinct:Datastreams/name", "distinct", "$select:9"),
        ("Things?$select=distinct:name&$expand=Locations", "distinct", "$select"),
        ("Things?$select=distinct:name&$orderby=id", "distinct", "$orderby:0"),
        ("Things?$skiptoken=zzz", "skip_token", "$skiptoken"),
    ],
)
def test_what_means_nothing_is_refused(url: str, code: str, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        plan(url)
    assert (caught.value.error_code, caught.value.place) == (code, place)
