"""The index: a commit is matched by look-ups, whatever the number of topics."""

from __future__ import annotations

from lakou.sensorthings.access import ADMIN, ANONYMOUS, Principal
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import DATASTREAM, THING
from lakou.sensorthings.mqtt.subscriptions import Group, Index, Message
from lakou.sensorthings.mqtt.topics import read_filter
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.registry import NEVER, Stream
from lakou.sensorthings.store.session import Observed

LIMITS = Limits()


class Ear:
    """One who hears, and keeps it."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    def offer(self, message: Message, qos: int) -> None:
        self.heard.append(message)

    def lose(self, number: int) -> None:
        raise AssertionError(f"{number} messages were lost")


def _index(*texts: str, who: Principal = ADMIN) -> tuple[Index, list[Group]]:
    index = Index()
    groups = [Group(read_filter(text, LIMITS), who, "http://test/sta/v1.1", LIMITS) for text in texts]
    for group in groups:
        index.join(group, Ear(), 1)
    return index, groups


def _event(stream: int, *, id_: int = 9, feature: int = 3, members: int = 0, scope: int = 0) -> Observed:
    values = {"datastream_id": stream, "time_start": 0, "id": id_, "result_type": 1, "result_number": 4.0}
    row = [values.get(name) for name in OBSERVATION_COLUMNS]
    row[OBSERVATION_COLUMNS.index("feature_id")] = feature
    return Stream(stream, members, 1, scope, 0, "keep-all", NEVER, False), row


def _texts(groups: object) -> list[str]:
    return [group.topic.text for group in groups]  # type: ignore[attr-defined]


def test_an_observation_finds_its_datastream_its_feature_and_the_sets() -> None:
    texts = (
        "v1.1/Observations",
        "v1.1/Datastreams(1)/Observations",
        "v1.1/Things(4)/Datastreams(1)/Observations",
        "v1.1/FeaturesOfInterest(3)/Observations",
        "v1.1/Observations(9)",
        "v1.1/Datastreams(2)/Observations",
        "v1.1/FeaturesOfInterest(4)/Observations",
        "v1.1/Observations(8)",
        "v1.1/Datastreams",
    )
    index, _ = _index(*texts)
    assert sorted(_texts(index.of_observation(_event(1)))) == sorted(texts[:5])


def test_thousands_of_topics_are_not_gone_through() -> None:
    index, _ = _index(*(f"v1.1/Datastreams({n})/Observations" for n in range(1, 3_001)))
    assert _texts(index.of_observation(_event(1_234))) == ["v1.1/Datastreams(1234)/Observations"]
    assert list(index.of_observation(_event(5_000))) == []


def test_a_multi_datastream_is_not_told_under_the_name_of_a_datastream() -> None:
    _, (plain, multi) = _index("v1.1/Datastreams(1)/Observations", "v1.1/MultiDatastreams(1)/Observations")
    assert plain.told(_event(1)) is not None
    assert plain.told(_event(1, members=2)) is None
    assert multi.told(_event(1)) is None
    assert multi.told(_event(1, members=2)) is not None


def test_what_the_members_may_not_read_is_not_told() -> None:
    _, (group,) = _index("v1.1/Observations", who=ANONYMOUS)
    assert group.told(_event(1)) is not None
    assert group.told(_event(1, scope=7)) is None
    assert group.told(_event(1, scope=-1)) is None


def test_a_changed_entity_finds_its_topic_its_set_and_its_parents() -> None:
    index, _ = _index(
        "v1.1/Things", "v1.1/Things(1)", "v1.1/Things(1)/name", "v1.1/Things(2)", "v1.1/Things(1)/Datastreams"
    )
    assert sorted(_texts(index.of_change(THING, 1))) == ["v1.1/Things", "v1.1/Things(1)", "v1.1/Things(1)/name"]
    assert index.of_change(DATASTREAM, 1) == []
    assert index.parent_links(DATASTREAM) == [("Datastream", "Thing")]
    assert _texts(index.parents["Datastream", "Thing"][1]) == ["v1.1/Things(1)/Datastreams"]


def test_a_group_without_listeners_leaves_nothing_behind() -> None:
    texts = (
        "v1.1/Observations",
        "v1.1/Datastreams(1)/Observations",
        "v1.1/Things(1)/name",
        "v1.1/Things(1)/Datastreams",
    )
    index, groups = _index(*texts)
    for group in groups:
        for ear in list(group.members):
            index.leave(group, ear)
    assert len(index) == 0
    assert not index.hears_observations
    assert index.parents == {}
    assert index.of_change(THING, 1) == []


def test_only_datastreams_that_are_heard_of_need_to_be_read() -> None:
    assert _index("v1.1/Datastreams(1)/Observations", "v1.1/Datastreams(7)")[0].streams() == {1, 7}
    assert _index("v1.1/Observations")[0].streams() is None


def test_a_message_is_made_once_for_all_members_of_a_group() -> None:
    index, (group,) = _index("v1.1/Observations")
    other = Ear()
    index.join(group, other, 0)
    message = group.told(_event(1))
    assert message is not None
    group.tell(message)
    first, second = group.members
    assert isinstance(first, Ear)
    assert isinstance(second, Ear)
    assert first.heard[0] is second.heard[0]
