"""Topics: which are understood, what they name, and why others are refused."""

from __future__ import annotations

import pytest

from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.mqtt.reasons import Reason
from lakou.sensorthings.mqtt.topics import Form, TopicError, read_filter, write_target

LIMITS = Limits()


@pytest.mark.parametrize(
    ("text", "form", "type_"),
    [
        ("v1.1/Things", Form.SET, "Thing"),
        ("v1.1/Things(1)", Form.ENTITY, "Thing"),
        ("v1.1/Things(1)/Datastreams", Form.SET, "Datastream"),
        ("v1.1/Things(1)/Datastreams(2)", Form.ENTITY, "Datastream"),
        ("v1.1/Datastreams(1)/Thing", Form.ENTITY, "Thing"),
        ("v1.1/Things(1)/name", Form.PROPERTY, "Thing"),
        ("v1.1/Things(1)/properties/owner", Form.PROPERTY, "Thing"),
        ("v1.1/Datastreams(1)/Thing/description", Form.PROPERTY, "Thing"),
        ("v1.1/Datastreams(1)/Observations", Form.SET, "Observation"),
        ("v1.1/MultiDatastreams(1)/Observations", Form.SET, "Observation"),
        ("v1.1/FeaturesOfInterest(1)/Observations", Form.SET, "Observation"),
        ("v1.1/Observations?$select=result,phenomenonTime", Form.SET, "Observation"),
        ("v1.1/Observations?$filter=result gt 3 and phenomenonTime lt now()", Form.SET, "Observation"),
        ("v1.1/Observations?$filter=result%20gt%203&$expand=Datastream($select=name)", Form.SET, "Observation"),
    ],
)
def test_a_topic_names_a_set_an_entity_or_a_property(text: str, form: Form, type_: str) -> None:
    topic = read_filter(text, LIMITS)
    assert (topic.form, topic.type.name) == (form, type_)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#", Reason.WILDCARDS_UNSUPPORTED),
        ("v1.1/#", Reason.WILDCARDS_UNSUPPORTED),
        ("v1.1/+", Reason.WILDCARDS_UNSUPPORTED),
        ("+/Things", Reason.WILDCARDS_UNSUPPORTED),
        ("$share/group/v1.1/Things", Reason.SHARED_UNSUPPORTED),
        ("$SYS/broker", Reason.TOPIC_FILTER_INVALID),
        ("", Reason.TOPIC_FILTER_INVALID),
        ("Things", Reason.TOPIC_FILTER_INVALID),
        ("/v1.1/Things", Reason.TOPIC_FILTER_INVALID),
        ("v1.0/Things", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/", Reason.TOPIC_FILTER_INVALID),
        ("v1.1//Things", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Nothings", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things(1)/nothing", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things/name", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things('a')", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things/$count", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things/$ref", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things(1)/name/$value", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things?$top=1", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things?$orderby=name", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things?$select=nothing", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things?$select=distinct:name", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things?$filter=name eq", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things?$filter=" + "(" * 500 + "1 eq 1" + ")" * 500, Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things(1)/name?$select=name", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things?owner=me", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/Things%", Reason.TOPIC_FILTER_INVALID),
        ("v1.1/" + "T" * 60_000, Reason.TOPIC_FILTER_INVALID),
    ],
)
def test_any_other_topic_is_refused_with_a_reason(text: str, reason: Reason) -> None:
    with pytest.raises(TopicError) as caught:
        read_filter(text, LIMITS)
    assert caught.value.reason is reason
    assert caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "v1.1/Observations",
        "v1.1/Datastreams(7)/Observations",
        "v1.1/MultiDatastreams(7)/Observations",
        "v1.1/FeaturesOfInterest(7)/Observations",
    ],
)
def test_observations_are_published_to_four_forms(text: str) -> None:
    hops = write_target(text, DEFAULT_LIMITS)
    assert hops[-1].type.name == "Observation"
    assert len(hops) == 1 or hops[0].key == 7


@pytest.mark.parametrize(
    "text",
    [
        "v1.1/Things",
        "v1.1/Things(1)/Datastreams",
        "v1.1/Things(1)/Datastreams(1)/Observations",
        "v1.1/Datastreams/Observations",
        "v1.1/Datastreams(1)/Observations(1)",
        "v1.1/Datastreams('x')/Observations",
        "v1.1/Datastreams(1)/Observations?$select=id",
        "v1.1/Datastreams(1)/Observations/$ref",
        "v1.1//Observations",
        "/v1.1/Observations",
        "Observations",
        "v1.1",
        "",
        "$SYS/x",
    ],
)
def test_nothing_else_is_written_by_mqtt(text: str) -> None:
    with pytest.raises(TopicError) as caught:
        write_target(text, DEFAULT_LIMITS)
    assert caught.value.reason is Reason.TOPIC_NAME_INVALID
