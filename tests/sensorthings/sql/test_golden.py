"""URL → plan → SQL of both dialects, compared with tests/sensorthings/golden: a change of SQL is seen in review.

`pytest tests/sensorthings/sql/test_golden.py --update-golden` writes the files again.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from lakou.sensorthings.access import ADMIN, ANONYMOUS, Principal
from lakou.sensorthings.grammar.options import parse_query_string
from lakou.sensorthings.grammar.path import parse_path
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.plan.apply import plan_apply
from lakou.sensorthings.plan.read import Asker, plan_read
from lakou.sensorthings.plan.rolled import plan_rolled
from lakou.sensorthings.plan.target import resolve
from lakou.sensorthings.sql import read, rolled
from lakou.sensorthings.sql.apply import apply
from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.sql.postgres import Postgres
from lakou.sensorthings.sql.sqlite import SQLite
from tests.sensorthings.caller import AGENT, Store
from tests.sensorthings.sql.plan_text import plan_text, statement_text

GOLDEN = Path(__file__).parents[1] / "golden"
DIALECTS: tuple[Dialect, ...] = (SQLite(), Postgres())
ASKER = Asker(Limits(), 1_700_000_000_000_000, "tester")
BOX = "geography'POLYGON ((-62 14, -60 14, -60 15, -62 15, -62 14))'"

URLS: dict[str, list[str]] = {
    "paths": [
        "Things",
        "Things(1)",
        "Observations",
        "Things(1)/Datastreams",
        "Things(1)/Locations",
        "Things(1)/Datastreams(2)/Observations",
        "Observations(3)/Datastream/Thing",
        "Observations(3)/FeatureOfInterest",
        "FeaturesOfInterest(1)/Observations",
        "Datastreams(1)/name",
        "Observations(1)/result/$value",
        "Things(1)/properties/owner",
        "Things/$ref",
        "MultiDatastreams(1)/ObservedProperties",
    ],
    "select": [
        "Things?$select=name,Datastreams",
        "Things?$select=id,properties/owner,properties/a/b",
        "Observations?$select=result,phenomenonTime",
        "Datastreams(1)/Observations?$select=result",
        "Observations?$select=distinct:Datastream/name,result",
        "Things?$select=distinct:properties/owner&$orderby=properties/owner desc&$count=true",
    ],
    "filter": [
        "Things?$filter=name eq 'a''b'",
        "Things?$filter=not (name eq 'a' or description eq null)",
        "Things?$filter=properties/level gt 3 and properties/owner ne 'x'",
        "Things?$filter=properties/a/b[0] eq true",
        "Things?$filter=name in ('a','b')",
        "Observations?$filter=result gt 5",
        "Observations?$filter=result eq 'high'",
        "Observations?$filter=result eq true",
        "Observations?$filter=result eq null",
        "Observations?$filter=result/level add 1 ge 2.5",
        "Observations?$filter=(result add 5) mul 2 div 3 mod 4 lt -result",
        "Things?$filter=substringof('x',name) and endswith(tolower(name),'y') and substring(name,1,2) eq 'ab'",
        "Things?$filter=properties/name eq properties/alias",
    ],
    "links": [
        "Things?$filter=Datastreams/name eq 'a' and Datastreams/Observations/result gt 3",
        "Things?$filter=not Datastreams/name eq 'a'",
        "Things?$filter=Datastreams/any(d: d/name eq 'a' and d/Sensor/name eq $it/name)",
        "Things?$filter=not Locations/any()",
        "Observations?$filter=Datastream/Thing/name eq 'a'",
        "Observations?$filter=FeatureOfInterest/id eq 1 and Datastream/id eq 2",
        "Sensors?$filter=MultiDatastreams/ObservedProperties/name eq 'x'",
        "Things?$filter=properties/near.Thing/name eq 'a'",
    ],
    "time": [
        "Observations?$filter=phenomenonTime ge 2026-01-01T00:00:00Z and phenomenonTime lt 2026-02-01T00:00:00Z",
        "Observations?$filter=overlaps(phenomenonTime,2026-01-01T00:00:00Z/2026-01-02T00:00:00Z)",
        "Observations?$filter=during(resultTime,2026-01-01T00:00:00Z/P1D)",
        "Observations?$filter=phenomenonTime add duration'PT1H' gt now()",
        "Observations?$filter=resultTime sub phenomenonTime gt duration'PT5M'",
        "Observations?$filter=year(phenomenonTime) eq 2026 and date(resultTime) eq 2026-01-01",
        "Datastreams?$filter=phenomenonTime lt 2026-01-01T00:00:00Z and resultTime ne null",
    ],
    "geo": [
        f"Locations?$filter=st_within(location,{BOX})",
        "Locations?$filter=geo.distance(location,geography'POINT (-61 14.6)') lt 0.1",
        f"Things?$filter=geo.intersects(Locations/location,{BOX})",
        f"Datastreams?$filter=st_intersects(observedArea,{BOX})",
        "Locations?$filter=st_relate(location,geography'POINT (0 0)','T********')",
    ],
    "order": [
        "Things?$orderby=name desc&$top=5&$skip=10",
        "Observations?$orderby=result,phenomenonTime desc",
        "Observations?$orderby=Datastream/Thing/name",
        "Datastreams?$orderby=phenomenonTime desc",
        "Things?$orderby=properties/level&$skiptoken=WzMsbnVsbCxudWxsLDdd",
        "Observations?$skiptoken=WzE3MDAwMDAwMDAwMDAwMDAsN10",
        "Things?$orderby=name desc&$skiptoken=WyJhIiw3XQ",
    ],
    "expand": [
        "Things?$expand=Datastreams",
        "Things(1)?$expand=Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))",
        "Datastreams?$expand=Thing,Sensor,ObservedProperty",
        "Things?$expand=Datastreams($filter=name eq 'a';$count=true;$top=2;$skip=1;$select=name)",
        "Observations?$expand=FeatureOfInterest,Datastream/Thing",
        "MultiDatastreams?$expand=ObservedProperties",
        "Things?$expand=properties/near.Thing($expand=Locations)",
    ],
    "count": [
        "Things?$count=true",
        "Observations?$count=true&$top=0",
        "Things(1)/Datastreams/$count?$filter=name ne 'a'",
    ],
    "apply": [
        "Observations?$apply=aggregate($count as n,result with mean as mean)",
        (
            "Datastreams(1)/Observations?$apply=groupby((bucket(phenomenonTime,duration'PT1H') as hour),"
            "aggregate(result with min as low,result with last as last))"
        ),
        (
            "Observations?$apply=filter(phenomenonTime ge 2026-01-01T12:00:00Z and phenomenonTime lt 2026-02-01T00:00Z)"
            "/groupby((Datastream/id,bucket(phenomenonTime,duration'P1D') as day),aggregate(result with mean as mean))"
        ),
        "Observations?$apply=filter(result gt 0)/groupby((Datastream/name),aggregate(result with sum as s))",
    ],
}
AS: dict[str, list[tuple[Principal, str]]] = {
    "rights": [
        (AGENT, "Things?$expand=Datastreams"),
        (AGENT, "Observations?$filter=FeatureOfInterest/name eq 'a'"),
        (ADMIN, "Things(1)/Locations"),
        (ADMIN, "Observations?$count=true"),
    ]
}


def statements(url: str, reader: Principal, dialect: Dialect) -> tuple[str, list[Statement]]:
    """(the plan as text, its statements) of a URL."""
    path, _, query = url.partition("?")
    target = resolve(parse_path(quote(path, safe="/()$'")))
    options = parse_query_string(quote(query, safe="=&$"))
    if options.apply is not None:
        grouped = plan_apply(target, options, ASKER)
        rolled_plan = plan_rolled(grouped)
        if rolled_plan is not None:
            return plan_text(grouped), [rolled.apply(dialect, grouped, rolled_plan, reader)]
        return plan_text(grouped), [apply(dialect, grouped, reader)]
    plan = plan_read(target, options, ASKER)
    found = [] if target.count else [read.page(dialect, plan, reader)]
    if plan.count is not None:
        found.append(rolled.count(dialect, plan, reader) or read.count(dialect, plan, reader))
    return plan_text(plan), found


def written(entries: list[tuple[Principal, str]]) -> str:
    blocks = []
    for reader, url in entries:
        shown, _ = statements(url, reader, DIALECTS[0])
        block = [f"GET {url}" + ("" if reader is ANONYMOUS else f"   (as {reader.role})"), shown]
        for dialect in DIALECTS:
            found = statements(url, reader, dialect)[1]
            block += [f"-- {dialect.name}\n{statement_text(statement)}" for statement in found]
        blocks.append("\n".join(block))
    return "\n\n".join(blocks) + "\n"


@pytest.mark.parametrize("name", [*URLS, *AS])
def test_sql_is_as_reviewed(name: str, update_golden: bool) -> None:
    entries = AS[name] if name in AS else [(ANONYMOUS, url) for url in URLS[name]]
    text = written(entries)
    file = GOLDEN / f"{name}.txt"
    if update_golden:
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert file.read_text("utf-8") == text, f"the SQL of {name} changed: review it, then run with --update-golden"


def test_every_golden_file_is_compared() -> None:
    assert {f.stem for f in GOLDEN.glob("*.txt")} == {*URLS, *AS}


def test_every_statement_runs(store: Store) -> None:
    database = store.open()
    database.migrate()
    entries = [(ANONYMOUS, url) for urls in URLS.values() for url in urls] + [e for es in AS.values() for e in es]
    try:
        for reader, url in entries:
            for statement in statements(url, reader, database.dialect)[1]:
                assert isinstance(database.read(statement, 10.0), list), url
    finally:
        database.close()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_values_of_a_request_are_never_in_the_text(dialect: Dialect) -> None:
    _, (statement,) = statements("Things?$filter=name eq 'Robert''); drop--' and id eq 4242", ANONYMOUS, dialect)
    assert "drop" not in statement.text
    assert "4242" not in statement.text
    assert set(statement.parameters.values()) == {"Robert'); drop--", 4242}
