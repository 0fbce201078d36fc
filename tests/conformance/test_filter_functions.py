"""$filter: text, mathematical and date functions (18-088 §9.3.3.5.2, table 23)."""

from __future__ import annotations

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import Api, key, ref, refused

pytestmark = pytest.mark.requirement("request-data/built-in-query-functions")

NAMES = ["Rivière Lézarde", "rain", "  padded  ", "a'b", "100% sûr_x", "空港 Lamentin", "UPPER lower", "\\back*slash?"]


@pytest.fixture(scope="module")
def named(api: Api) -> str:
    """The path of the Things of `NAMES`, all of one Location; `description` is an upper-case copy."""
    place = api.create("Locations", make.location())
    for name in NAMES:
        api.create(
            "Things",
            make.thing(name=name, description=name.upper(), properties={"size": len(name)}, Locations=[ref(place)]),
        )
    return f"Locations({key(place)})/Things"


def _named(*numbers: int) -> list[str]:
    return [NAMES[number] for number in numbers]


@requirement("request-data/built-in-query-functions")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("substringof('rain',name)", [1]),
        ("substringof('Rain',name)", []),
        ("substringof('',name)", list(range(8))),
        ("substringof('zard',name)", [0]),
        ("substringof('%',name)", [4]),
        ("substringof('_',name)", [4]),
        ("substringof('''',name)", [3]),
        ("substringof('*',name)", [7]),
        ("substringof('\\',name)", [7]),
        ("substringof('%_x',name)", []),
        ("substringof('港',name)", [5]),
        ("substringof(name,'rain and wind')", [1]),
        ("not substringof('a',name)", [4, 6]),
        ("endswith(name,'rde')", [0]),
        ("endswith(name,'RDE')", []),
        ("endswith(description,'RDE')", [0]),
        ("endswith(name,'_x')", [4]),
        ("endswith(name,'%')", []),
        ("endswith(name,'?')", [7]),
        ("endswith(name,'  ')", [2]),
        ("startswith(name,'ra')", [1]),
        ("startswith(name,'a''')", [3]),
        ("startswith(name,'100%')", [4]),
        ("startswith(name,'1_')", []),
        ("startswith(name,'空')", [5]),
        ("startswith(name,'\\')", [7]),
        ("startswith(name,'')", list(range(8))),
        ("startswith(name,'Rivière Lézarde et plus')", []),
        ("length(name) eq 4", [1]),
        ("length(name) eq 15", [0]),
        ("length(name) gt 11", [0, 7]),
        ("length(name) eq properties/size", list(range(8))),
        ("indexof(name,'ain') eq 1", [1]),
        ("indexof(name,'r') eq 0", [1]),
        ("indexof(name,'Lam') eq 3", [5]),
        ("indexof(name,'zzz') eq -1", list(range(8))),
        ("indexof(name,'''') eq 1", [3]),
        ("substring(name,1) eq 'ain'", [1]),
        ("substring(name,0) eq 'rain'", [1]),
        ("substring(name,1,2) eq 'ai'", [1]),
        ("substring(name,0,1) eq 'r'", [1]),
        ("substring(name,3,8) eq 'Lamentin'", [5]),
        ("substring(name,100) eq ''", list(range(8))),
        ("substring(name,2,0) eq ''", list(range(8))),
        ("substring(name,2,100) eq 'in'", [1]),
        ("tolower(name) eq 'upper lower'", [6]),
        ("tolower(name) eq name", [1, 2, 3, 4, 7]),
        ("tolower(description) eq 'rivière lézarde'", [0]),
        ("toupper(name) eq 'UPPER LOWER'", [6]),
        ("toupper(name) eq 'RIVIÈRE LÉZARDE'", [0]),
        ("toupper(name) eq description", list(range(8))),
        ("trim(name) eq 'padded'", [2]),
        ("trim(name) eq name", [0, 1, 3, 4, 5, 6, 7]),
        ("trim('  x ') eq 'x'", list(range(8))),
        ("concat(name,'!') eq 'rain!'", [1]),
        ("concat(concat(name,'/'),description) eq 'rain/RAIN'", [1]),
        ("concat('a','b') eq 'ab'", list(range(8))),
        ("length(concat(name,name)) eq 8", [1]),
        ("toupper(substring(name,0,2)) eq 'RA'", [1]),
        ("length(trim(name)) lt length(name)", [2]),
        ("startswith(tolower(name),'upper')", [6]),
        ("substringof(tolower('RAIN'),name)", [1]),
        ("indexof(tolower(name),'lower') gt 0", [6]),
        ("startswith(name,'ra') and endswith(name,'in')", [1]),
        ("substringof('rain',name) eq true", [1]),
        ("startswith(name,'ra') eq false", [0, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_text_functions(anon: Api, named: str, condition: str, expected: list[int]) -> None:
    """Positions count from 0, in characters. No character is a wildcard."""
    assert anon.names(named, filter=condition) == _named(*expected)


@requirement("request-data/built-in-query-functions")
@pytest.mark.parametrize("condition", ["substring(name,-1) eq 'n'", "substring(name,1,-1) eq ''"])
def test_negative_positions_are_no_failure(anon: Api, named: str, condition: str) -> None:
    """The standard is silent; refused or without a match, never a 5xx."""
    assert anon.get(named, filter=condition).status_code in (200, 400)


@pytest.fixture(scope="module")
def numbers(api: Api) -> str:
    """The path of Observations whose results try every rounding."""
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    values = [2.5, 3.5, -2.5, 2.4, 2.6, -2.4, 0.5, 7, 1.0]
    rows = [[f"2024-01-0{index + 1}T00:00:00Z", value] for index, value in enumerate(values)]
    api.post(
        "CreateObservations",
        [{"Datastream": ref(stream), "components": ["phenomenonTime", "result"], "dataArray": rows}],
    )
    return f"Datastreams({key(stream)})/Observations"


@requirement("request-data/built-in-query-functions")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("round(result) eq 3", [2.5, 2.6]),
        ("round(result) eq 4", [3.5]),
        ("round(result) eq -3", [-2.5]),
        ("round(result) eq 2", [2.4]),
        ("round(result) eq -2", [-2.4]),
        ("round(result) eq 1", [0.5, 1]),
        ("round(result) eq 7", [7]),
        ("floor(result) eq 2", [2.5, 2.4, 2.6]),
        ("floor(result) eq -3", [-2.5, -2.4]),
        ("floor(result) eq 0", [0.5]),
        ("ceiling(result) eq 3", [2.5, 2.4, 2.6]),
        ("ceiling(result) eq -2", [-2.5, -2.4]),
        ("ceiling(result) eq 1", [0.5, 1]),
        ("ceiling(result) eq 7", [7]),
        ("floor(result) eq ceiling(result)", [7, 1]),
        ("round(result) add 1 eq 5", [3.5]),
        ("round(result mul 2) eq 5", [2.5, 2.4, 2.6]),
        ("floor(2.9) eq 2 and result eq 7", [7]),
        ("round(2.5) eq 3 and result eq 7", [7]),
        ("round(-0.4) eq 0 and result eq 7", [7]),
    ],
)
def test_mathematical_functions(anon: Api, numbers: str, condition: str, expected: list[float]) -> None:
    """Half is rounded away from zero: round(2.5) = 3."""
    assert anon.results(numbers, filter=condition) == expected


TIMES = [
    "2023-12-31T23:30:15.5Z",
    "2024-02-29T12:00:00Z",
    "2024-06-01T00:00:00-04:00",
    "2024-06-01T10:20:30.123456Z",
    "2024-12-31T23:59:59.999Z",
    "1999-01-01T00:00:00Z",
]


@pytest.fixture(scope="module")
def dated(api: Api) -> str:
    """The path of Observations at `TIMES`, whose result is their number in it; the last has no result time."""
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    for number, when in enumerate(TIMES):
        api.create(
            f"Datastreams({key(stream)})/Observations",
            make.observation(number, phenomenonTime=when, resultTime=when if number != 5 else None),
        )
    return f"Datastreams({key(stream)})/Observations"


@requirement("request-data/built-in-query-functions")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("year(phenomenonTime) eq 2024", [1, 2, 3, 4]),
        ("year(phenomenonTime) lt 2000", [5]),
        ("month(phenomenonTime) eq 12", [0, 4]),
        ("month(phenomenonTime) eq 6", [2, 3]),
        ("day(phenomenonTime) eq 29", [1]),
        ("day(phenomenonTime) eq 31", [0, 4]),
        ("day(phenomenonTime) eq 1", [2, 3, 5]),
        ("hour(phenomenonTime) eq 23", [0, 4]),
        ("hour(phenomenonTime) eq 4", [2]),
        ("hour(phenomenonTime) eq 12", [1]),
        ("minute(phenomenonTime) eq 20", [3]),
        ("minute(phenomenonTime) eq 30", [0]),
        ("second(phenomenonTime) eq 30", [3]),
        ("second(phenomenonTime) eq 59", [4]),
        ("second(phenomenonTime) eq 15", [0]),
        ("fractionalseconds(phenomenonTime) eq 0.5", [0]),
        ("fractionalseconds(phenomenonTime) gt 0.9", [4]),
        ("fractionalseconds(phenomenonTime) eq 0", [1, 2, 5]),
        ("fractionalseconds(phenomenonTime) gt 0.12 and fractionalseconds(phenomenonTime) lt 0.13", [3]),
        ("year(resultTime) eq 1999", []),
        ("year(resultTime) eq 2023", [0]),
        ("not (year(resultTime) eq 2024)", [0]),
        ("date(phenomenonTime) eq 2024-02-29", [1]),
        ("date(phenomenonTime) eq date'2024-02-29'", [1]),
        ("date(phenomenonTime) gt 2024-06-01", [4]),
        ("date(phenomenonTime) eq date(2024-06-01T22:00:00Z)", [2, 3]),
        ("time(phenomenonTime) eq 12:00:00", [1]),
        ("time(phenomenonTime) lt 01:00:00", [5]),
        ("time(phenomenonTime) eq time(2020-01-01T04:00:00Z)", [2]),
        ("totaloffsetminutes(phenomenonTime) eq 0", [0, 1, 2, 3, 4, 5]),
        ("phenomenonTime lt now()", [0, 1, 2, 3, 4, 5]),
        ("phenomenonTime gt now()", []),
        ("now() sub duration'P36500D' lt phenomenonTime", [0, 1, 2, 3, 4, 5]),
        ("phenomenonTime gt mindatetime()", [0, 1, 2, 3, 4, 5]),
        ("phenomenonTime lt maxdatetime()", [0, 1, 2, 3, 4, 5]),
        ("phenomenonTime eq maxdatetime()", []),
        ("year(now()) ge 2024 and result eq 1", [1]),
        ("year(2020-05-05T00:00:00Z) eq 2020 and result eq 1", [1]),
        ("month(phenomenonTime) eq 6 and hour(phenomenonTime) lt 5", [2]),
        ("year(phenomenonTime) add 1 eq 2025", [1, 2, 3, 4]),
        ("hour(phenomenonTime) mod 2 eq 1", [0, 4]),
        ("phenomenonTime eq 2024-06-01T04:00:00Z", [2]),
        ("phenomenonTime eq 2024-06-01T06:00:00+02:00", [2]),
        ("phenomenonTime eq 2024-06-01T10:20:30.123456Z", [3]),
        ("phenomenonTime lt 2024-06-01T10:20:30.123457Z and phenomenonTime gt 2024-06-01T10:20:30.123455Z", [3]),
        ("phenomenonTime eq 2023-12-31T23:30:15.500Z", [0]),
        ("phenomenonTime eq 2024-02-29T12:00Z", None),
        ("phenomenonTime eq 2024-06-01T06:00:00+0200", [2]),
        ("phenomenonTime ge 2024-02-29T12:00:00z", None),
    ],
)
def test_date_functions(anon: Api, dated: str, condition: str, expected: list[int] | None) -> None:
    """Parts are those of UTC: the offset of a stored time is not kept. Two forms may be refused or understood."""
    if expected is None:
        assert anon.get(dated, filter=condition).status_code in (200, 400)
        return
    assert sorted(anon.results(dated, filter=condition)) == expected


@requirement("request-data/built-in-query-functions", "request-data/query-status-code")
@pytest.mark.parametrize(
    "condition",
    [
        "phenomenonTime gt 2024-13-01T00:00:00Z",
        "phenomenonTime gt 2024-02-30T00:00:00Z",
        "phenomenonTime gt 2024-01-01T25:00:00Z",
        "phenomenonTime gt 2024-01-01T00:61:00Z",
        "phenomenonTime gt 2024-01-02T00:00:00Z/2024-01-01T00:00:00Z",
        "phenomenonTime gt duration'P1D'",
        "phenomenonTime add 5 gt now()",
        "phenomenonTime add duration'x' gt now()",
        "year(result,1) eq 1",
        "phenomenonTime gt 2024-01-01T00:00:00+99:00",
        "date(phenomenonTime) eq date'2024-02-30'",
        "fractionalseconds() eq 1",
        "now(1) gt phenomenonTime",
        "phenomenonTime add duration'P99999999999D' gt now()",
    ],
)
def test_times_that_are_none_are_refused(anon: Api, dated: str, condition: str) -> None:
    refused(anon.get(dated, filter=condition), 400)
