"""$top, $skip, $count, next links and the order in which options apply (18-088 §9.3.1, §9.3.3, §9.3.4)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conformance.model import ALL_TYPES, EntityType
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import COUNT, ID, NEXT, Api, describe, key, ref, refused


@pytest.fixture(scope="module")
def dozen(api: Api) -> str:
    """The path of the twelve Things t00 to t11 of one Location; the even ones are described as even."""
    place = api.create("Locations", make.location())
    for number in range(12):
        api.create(
            "Things",
            make.thing(
                name=f"t{number:02}",
                description="even" if number % 2 == 0 else "odd",
                properties={"number": number},
                Locations=[ref(place)],
            ),
        )
    return f"Locations({key(place)})/Things"


ALL = [f"t{number:02}" for number in range(12)]


@requirement("request-data/top")
@pytest.mark.parametrize("top", [0, 1, 2, 5, 11, 12, 13, 100, 10_000])
def test_top_limits_the_list(anon: Api, dozen: str, top: int) -> None:
    assert anon.names(dozen, top=top) == ALL[:top]


@requirement("request-data/top", "request-data/pagination")
@pytest.mark.parametrize(("top", "more"), [(1, True), (11, True), (12, False), (13, False)])
def test_next_link_is_there_only_while_more_follows(anon: Api, dozen: str, top: int, more: bool) -> None:
    assert (NEXT in anon.read(dozen, top=top)) is more


@requirement("request-data/top")
@pytest.mark.parametrize("top", [20_000, 1_000_000])
def test_top_above_the_limit_is_cut_and_not_refused(anon: Api, dozen: str, top: int) -> None:
    """18-088 §9.3.3.2: the service may impose a page limit."""
    assert anon.names(dozen, top=top) == ALL


@requirement("request-data/skip")
@pytest.mark.parametrize("skip", [0, 1, 2, 3, 4, 11, 12, 13, 1000])
def test_skip_leaves_out_the_first(anon: Api, dozen: str, skip: int) -> None:
    assert anon.names(dozen, skip=skip) == ALL[skip:]


@requirement("request-data/skip", "request-data/top", "request-data/pagination")
@pytest.mark.parametrize(("skip", "top"), [(0, 5), (1, 5), (3, 4), (10, 1), (11, 5)])
def test_skip_and_top_then_the_rest(anon: Api, dozen: str, skip: int, top: int) -> None:
    pages = anon.pages(dozen, skip=skip, top=top)
    assert [thing["name"] for thing in pages[0]["value"]] == ALL[skip : skip + top]
    assert [thing["name"] for page in pages for thing in page["value"]] == ALL[skip:]


@requirement("request-data/top", "request-data/skip", "request-data/query-status-code")
@pytest.mark.parametrize(
    "value", ["-1", "1.5", "abc", "", "1e2", "0x1", " ", "null", "true", "'1'", "1;2", "99999999999999999999"]
)
@pytest.mark.parametrize("option", ["top", "skip"])
def test_number_that_is_none_is_refused(anon: Api, option: str, value: str) -> None:
    response = anon.get(anon.url("Things", **{option: value}))
    if value.startswith("9") and response.status_code == 200:
        assert option == "top", describe(response)
        return
    body = refused(response, 400)
    assert option in str(body), body


@requirement("request-data/count")
@pytest.mark.parametrize(("value", "present"), [("true", True), ("false", False)])
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_count_only_when_asked(anon: Api, dozen: str, kind: EntityType, value: str, present: bool) -> None:
    page = anon.read(kind.set_name, count=value, top=1)
    assert (COUNT in page) is present


@requirement("request-data/count")
def test_no_count_when_nothing_is_said(anon: Api, dozen: str) -> None:
    assert COUNT not in anon.read(dozen)


@requirement("request-data/count")
@pytest.mark.parametrize("value", ["TRUE", "1", "yes", "", "maybe", "null"])
def test_count_is_true_or_false_and_nothing_else(anon: Api, value: str) -> None:
    refused(anon.get("Things", count=value), 400)


@requirement("request-data/count")
@pytest.mark.parametrize("options", [{}, {"top": 3}, {"top": 0}, {"skip": 11}, {"skip": 50}, {"top": 2, "skip": 2}])
def test_count_ignores_paging(anon: Api, dozen: str, options: dict[str, int]) -> None:
    assert anon.read(dozen, count=True, **options)[COUNT] == 12


@requirement("request-data/count", "request-data/pagination")
def test_count_is_the_same_on_each_page_and_stands_before_the_list(anon: Api, dozen: str) -> None:
    pages = anon.pages(dozen, count=True, top=5, filter="properties/number gt 0")
    assert [page[COUNT] for page in pages] == [11, 11, 11]
    assert all(list(page).index(COUNT) < list(page).index("value") for page in pages)


@requirement("request-data/count")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [("description eq 'even'", 6), ("properties/number ge 10", 2), ("Locations/name ne 'x'", 12), ("name eq 'x'", 0)],
)
def test_count_follows_the_filter(anon: Api, dozen: str, condition: str, expected: int) -> None:
    assert anon.read(dozen, count=True, filter=condition, top=1)[COUNT] == expected


@requirement("request-data/top", "request-data/count")
def test_top_zero_gives_only_the_count(anon: Api, dozen: str) -> None:
    page = anon.read(dozen, count=True, top=0)
    assert (page[COUNT], page["value"]) == (12, [])


@requirement("request-data/order")
def test_filter_then_order_then_skip_then_top(anon: Api, dozen: str) -> None:
    page = anon.read(dozen, count=True, top=1, skip=2, orderby="name desc", filter="description eq 'even'")
    assert page[COUNT] == 6
    assert [thing["name"] for thing in page["value"]] == ["t06"]


@requirement("request-data/order")
@pytest.mark.parametrize(
    "order",
    [
        ["top", "skip", "filter", "orderby", "count"],
        ["count", "orderby", "filter", "skip", "top"],
        ["filter", "top", "orderby", "count", "skip"],
    ],
)
def test_order_in_the_address_does_not_matter(anon: Api, dozen: str, order: list[str]) -> None:
    values = {"top": "2", "skip": "1", "filter": "description eq 'odd'", "orderby": "name desc", "count": "true"}
    page = anon.read(dozen, **{name: values[name] for name in order})
    assert ([thing["name"] for thing in page["value"]], page[COUNT]) == (["t09", "t07"], 6)


@requirement("request-data/pagination")
@pytest.mark.parametrize(
    "options",
    [
        {"filter": "description eq 'odd'"},
        {"filter": "name ne 'a+b & c#d%'"},
        {"filter": "name ne 'it''s'"},
        {"orderby": "description desc,name"},
        {"select": "name"},
        {"expand": "Locations($select=name;$top=1)"},
        {"count": "true", "orderby": "properties/number desc"},
        {"filter": "startswith(name,'t') and not (description eq 'x;y')", "orderby": "name desc", "select": "name,id"},
    ],
)
@pytest.mark.parametrize("top", [1, 5])
def test_next_links_keep_every_option(anon: Api, dozen: str, options: dict[str, str], top: int) -> None:
    whole = anon.value(dozen, **options)
    pages = anon.pages(dozen, top=top, **options)
    assert [thing for page in pages for thing in page["value"]] == whole
    for page in pages[:-1]:
        kept = parse_qs(urlsplit(page[NEXT]).query)
        assert {f"${name}" for name in options} <= set(kept)
        assert len(page["value"]) == top


@requirement("request-data/pagination")
def test_next_link_is_absolute_and_keeps_the_parent(anon: Api, dozen: str) -> None:
    link = anon.read(dozen, top=1)[NEXT]
    assert link.startswith(f"{anon.base}/{dozen}?")


@requirement("request-data/pagination")
def test_pages_neither_lose_nor_repeat_while_things_are_added(api: Api) -> None:
    """Paging by key: an entity added before the place where the reader stands moves nothing."""
    place = api.create("Locations", make.location())
    for number in range(6):
        api.create("Things", make.thing(name=f"m{number}", Locations=[ref(place)]))
    path = f"Locations({key(place)})/Things"
    page = api.read(path, orderby="name", top=2)
    api.create("Things", make.thing(name="a-first", Locations=[ref(place)]))
    rest = api.items(page[NEXT])
    assert [thing["name"] for thing in page["value"] + rest] == [f"m{number}" for number in range(6)]


@requirement("request-data/pagination")
def test_a_list_is_cut_at_a_hundred_when_nothing_is_said(api: Api) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    rows = [[f"2024-01-01T00:{minute // 60:02}:{minute % 60:02}Z", minute] for minute in range(130)]
    response = api.post(
        "CreateObservations",
        [{"Datastream": ref(stream), "components": ["phenomenonTime", "result"], "dataArray": rows}],
    )
    assert response.status_code == 201, describe(response)
    path = f"Datastreams({key(stream)})/Observations"
    page = api.read(path)
    assert len(page["value"]) == 100
    assert [item["result"] for item in page["value"] + api.items(page[NEXT])] == list(range(130))
    expanded = api.read(f"Datastreams({key(stream)})", expand="Observations")
    rest = api.items(expanded["Observations@iot.nextLink"])
    assert [item["result"] for item in expanded["Observations"] + rest] == list(range(130))


@requirement("request-data/pagination")
@pytest.mark.parametrize("top", [7, 50, 129])
def test_long_pages(api: Api, top: int) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    rows = [[f"2024-01-01T00:{number // 60:02}:{number % 60:02}Z", number % 3] for number in range(130)]
    api.post(
        "CreateObservations",
        [{"Datastream": ref(stream), "components": ["phenomenonTime", "result"], "dataArray": rows}],
    )
    found = api.items(f"Datastreams({key(stream)})/Observations", top=top, orderby="result desc,phenomenonTime")
    assert len({item[ID] for item in found}) == 130
    assert [item["result"] for item in found] == sorted((number % 3 for number in range(130)), reverse=True)


@requirement("request-data/query-status-code", "request-data/status-code")
@pytest.mark.parametrize("option", ["$search=x", "$format=json", "$compute=x", "$index=1", "$nothing=1"])
def test_unsupported_option_is_501(anon: Api, option: str) -> None:
    """18-088 §9.3.1: a service shall answer 501 to query options that it does not support."""
    refused(anon.get(f"Things?{option}"), 501)


@requirement("request-data/query-status-code")
@pytest.mark.parametrize("query", ["$top=1&$top=2", "$filter=true&$filter=false", "$count=true&$count=true"])
def test_an_option_given_twice_is_refused(anon: Api, query: str) -> None:
    """OData: a query option shall not be given more than once."""
    refused(anon.get(f"Things?{query}"), 400)


@requirement("request-data/query-status-code")
@pytest.mark.parametrize("option", ["$top=1", "$skip=1", "$count=true", "$filter=name eq 'x'", "$orderby=name"])
def test_list_options_on_one_entity_are_refused_or_without_effect(api: Api, dozen: str, option: str) -> None:
    """The standard is silent; FROST takes them and does nothing."""
    thing = api.value(dozen, top=1)[0]
    response = api.get(f"Things({key(thing)})?{option}")
    if response.status_code == 200:
        assert response.json()[ID] == thing[ID]
    else:
        refused(response, 400)


@requirement("lakou/count-modes")
def test_an_estimate_is_given_only_on_request_and_labelled(anon: Api, dozen: str) -> None:
    plain = anon.read("Things", count=True, top=0)
    assert isinstance(plain[COUNT], int)
    assert set(plain) - {NEXT} == {COUNT, "value"}
    estimate = anon.read("Things", count=True, countMode="estimate", top=0)
    assert COUNT in estimate
    assert len(set(estimate) - {COUNT, NEXT, "value"}) == 1, "the estimate must say that it is one"


@requirement("lakou/count-modes")
@pytest.mark.parametrize("mode", ["guess", "", "EXACT!", "1"])
def test_unknown_count_mode_is_refused(anon: Api, mode: str) -> None:
    refused(anon.get("Things", count=True, countMode=mode), 400)
