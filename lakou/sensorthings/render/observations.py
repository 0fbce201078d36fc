"""Plain pages of Observations, written as text at once: the answer that clients ask for most.

Gives the same JSON as `entities` and `sets` for the same rows (a test compares them), at about a third
of their time; anything selected, expanded or without control information goes through those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lakou.kernel import jsontext
from lakou.kernel.time import format_instant, format_interval
from lakou.sensorthings.model import OBSERVATION, ResultType
from lakou.sensorthings.plan.values import ReadPlan
from lakou.sensorthings.render.entities import Row, Style

_NAMES = {"Datastream": 0, "MultiDatastream": 1}


def fits(plan: ReadPlan, style: Style) -> bool:
    """Whether `page` can render this plan."""
    return (
        plan.type is OBSERVATION
        and not (plan.single or plan.explicit or plan.expands or plan.distinct)
        and style.metadata == "full"
        and plan.extras in ((), ("multi",))
    )


def page(plan: ReadPlan, shown: Sequence[Row], head: dict[str, Any], style: Style) -> bytes:
    """The JSON of a page: the members of `head`, then the value."""
    prefix = f'{{"@iot.selfLink":"{style.base}/Observations('
    links = {link.name for link in plan.links}
    known = next((name for name in _NAMES if name in links), "Datastream")
    multi = bool(plan.extras)
    names = list(_NAMES)
    tail_start = f'@iot.navigationLink":"{style.base}/Observations('
    out: list[str] = []
    for row in shown:
        id_, start, end, kind, number, boolean, text, json, produced, quality, valid, until, parameters = row[:13]
        stream = names[row[13]] if multi else known
        when = format_instant(start) if end is None else format_interval(start, end)
        value = repr(number) if kind == ResultType.FLOAT else _result(kind, number, boolean, text, json)
        rare = "" if quality is valid is parameters is None else _rare(quality, valid, until, parameters)
        made = "null" if produced is None else f'"{format_instant(produced)}"'
        out.append(
            f'{prefix}{id_})","@iot.id":{id_},"phenomenonTime":"{when}","result":{value},"resultTime":{made}{rare},'
            f'"{stream}{tail_start}{id_})/{stream}","FeatureOfInterest{tail_start}{id_})/FeatureOfInterest"}}'
        )
    begin = jsontext.encode(head)[:-1]
    return begin + (b"," if head else b"") + b'"value":[' + ",".join(out).encode() + b"]}"


def _result(kind: int, number: float | None, boolean: Any, text: str | None, json: str | None) -> str:
    match kind:
        case ResultType.INTEGER:
            return str(int(number or 0)) if json is None else json
        case ResultType.TEXT:
            return jsontext.encode(text).decode()
        case ResultType.BOOLEAN:
            return "true" if boolean else "false"
        case ResultType.JSON:
            return json or "null"
    return "null"


def _rare(quality: str | None, valid: int | None, until: int | None, parameters: str | None) -> str:
    """The members that few Observations have, each with a comma in front."""
    out = "" if quality is None else f',"resultQuality":{quality}'
    if valid is not None and until is not None:
        out += f',"validTime":"{format_interval(valid, until)}"'
    return out + ("" if parameters is None else f',"parameters":{parameters}')
