"""The model is consistent in itself and with 18-088 §8.2 and §14.1."""

from __future__ import annotations

import pytest

from lakou.sensorthings.model import (
    BY_NAME,
    BY_PLURAL,
    ENTITY_TYPES,
    THING,
    EntityType,
    ForeignKey,
    JsonReference,
    Kind,
    Reverse,
    Through,
)
from lakou.sensorthings.store import migrations
from tests.sensorthings.caller import Store


@pytest.mark.parametrize("type_", ENTITY_TYPES, ids=lambda t: t.name)
def test_every_link_has_its_inverse(type_: EntityType) -> None:
    for link in type_.links:
        back = link.type.link(link.inverse)
        assert back is not None, link
        assert back.target == type_.name
        assert back.inverse == link.name
        if isinstance(link.by, ForeignKey):
            assert isinstance(back.by, Reverse)
            assert back.by.column == link.by.column
        if isinstance(link.by, Through):
            assert isinstance(back.by, Through)
            assert (back.by.table, back.by.near, back.by.far) == (link.by.table, link.by.far, link.by.near)


@pytest.mark.parametrize("type_", ENTITY_TYPES, ids=lambda t: t.name)
def test_properties_have_columns_unless_they_are_derived(type_: EntityType) -> None:
    for prop in type_.properties:
        assert bool(prop.columns) is not prop.derived, prop
    names = [p.name for p in type_.properties] + [link.name for link in type_.links]
    assert len(names) == len(set(names))
    assert type_.properties[0].kind is Kind.ID


def test_every_column_is_in_both_schemas() -> None:
    for database in ("sqlite", "postgres"):
        text = "\n".join(sql for _, sql in migrations.of(database))
        for type_ in ENTITY_TYPES:
            table = text.partition(f"create table {type_.table} (")[2].partition(";")[0]
            assert table, (database, type_.table)
            columns = [c for p in type_.properties for c in p.columns]
            columns += [link.by.column for link in type_.links if isinstance(link.by, ForeignKey)]
            columns += ["scope_id", "owner_id"] if type_.scoped else []
            for column in columns:
                assert f" {column} " in table or f"\n{column} " in table, (database, type_.table, column)


def test_names_lead_to_types_both_ways() -> None:
    assert BY_NAME["FeatureOfInterest"] is BY_PLURAL["FeaturesOfInterest"]
    assert {t.plural for t in ENTITY_TYPES} == set(BY_PLURAL)
    assert THING.property("@iot.id") is THING.property("id")
    assert THING.property("nothing") is None
    assert THING.link("Sensor") is None


def test_many_tells_sets_from_single_entities() -> None:
    many = {link.name: link.many for type_ in ENTITY_TYPES for link in type_.links}
    assert many == {name: name.endswith("s") or name == "FeaturesOfInterest" for name in many} | {
        "ObservedProperties": True,
        "FeatureOfInterest": False,
    }


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (("near.Thing",), "Thing"),
        (("a", "near.Datastream"), "Datastream"),
        (("near",), None),
        (("near.Nothing",), None),
        ((0,), None),
        ((), None),
    ],
)
def test_a_clients_own_link_names_its_target(path: tuple[str | int, ...], target: str | None) -> None:
    link = THING.custom_link("properties", path)
    assert (None if link is None else link.target) == target
    if link is not None:
        assert isinstance(link.by, JsonReference)
        assert link.by.path[-1] == f"{path[-1]}@iot.id"
        assert not link.many


def test_migrations_are_numbered_and_run_once(store: Store) -> None:
    names = [name for name, _ in migrations.of(store.name)]
    assert names == sorted(names)
    database = store.open()
    database.migrate()
    database.migrate()
    database.close()
