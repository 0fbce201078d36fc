"""Every question of `lakou check` finds the damage that it is for, and none where all is well."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import psycopg
import pytest

from lakou.sensorthings.store import soundness
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.sqlite import SQLiteDatabase
from tests.conftest import DATABASES
from tests.sensorthings.caller import Store
from tests.sensorthings.conftest import emptied

THING = {
    "name": "t",
    "description": "d",
    "Locations": [
        {"name": "l", "description": "d", "encodingType": "application/geo+json",
         "location": {"type": "Point", "coordinates": [-61, 14.6]}}
    ],
    "Datastreams": [
        {
            "name": "level", "description": "d", "observationType": "http://x/OM_Measurement",
            "unitOfMeasurement": {"name": "m", "symbol": "m", "definition": "m"},
            "Sensor": {"name": "s", "description": "d", "encodingType": "text/plain", "metadata": "m"},
            "ObservedProperty": {"name": "p", "definition": "http://x/p", "description": "d"},
        }
    ],
}  # fmt: skip
# The damage that each check is for, in SQL for both databases; `{obs}` is the table that holds the Observation.
DAMAGE = {
    "Observations have a Datastream": "update {obs} set datastream_id = 77",
    "Observations have a FeatureOfInterest": "update {obs} set feature_id = 77",
    "Pairs of FeatureOfInterest and Datastream": "delete from feature_datastream",
    "Pairs have Observations": "delete from {obs}",
    "Pairs lead somewhere": "insert into feature_datastream values (77, 1)",
    "Datastreams have Thing, Sensor and ObservedProperty": "update datastream set sensor_id = 77",
    "Places of Things": "insert into thing_location values (1, 77)",
    "Order of the change log": "update change set first_id = 9 where type = 'Observation'",
    "Ascent of the change log": "update change set first_id = 1 where type = 'Observation'",
    "Readers of the change log": "insert into change_reader values ('reader', 1000000, 0)",
}


@contextlib.contextmanager
def filled(
    database: str, folder: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Store, Callable[[str], None]]]:
    """A store with a Thing and Observations, and what runs SQL on it behind its back."""
    if database == "sqlite":
        store = Store("sqlite", folder=folder)
    else:
        store = emptied(request.getfixturevalue("postgres_urls")(0))
    caller = store.caller()
    caller.make("/Things", THING)
    for second in range(3):
        body = {"phenomenonTime": f"2026-01-01T00:00:0{second}Z", "result": second}
        caller.make("/Datastreams(1)/Observations", body)
    caller.close()
    if store.folder is not None:
        with contextlib.closing(apsw.Connection(str(store.folder / "observations.db"))) as connection:
            yield store, lambda text: connection.execute(text) and None
    else:
        assert store.url is not None
        with psycopg.connect(store.url, autocommit=True, options="-c search_path=observations,public") as behind:
            yield store, lambda text: behind.execute(text.encode()) and None


def wrong(store: Store, *, full: bool) -> dict[str, int]:
    """The checks that find something, with their numbers."""
    with contextlib.ExitStack() as stack:
        if store.folder is not None:
            path = str(store.folder / "observations.db")
            ask = soundness.ask_sqlite(stack.enter_context(contextlib.closing(apsw.Connection(path))))
        else:
            assert store.url is not None
            ask = soundness.ask_postgres(stack.enter_context(psycopg.connect(store.url, autocommit=True)))
        counted = {
            check.name: soundness.count_wrong(ask, check, full=full)
            for check in soundness.CHECKS
            if check.only in (None, store.name)
        }
    return {name: count for name, count in counted.items() if count}


@pytest.mark.parametrize("database", DATABASES)
def test_a_sound_store_is_found_sound_and_each_damage_is_found(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for number, (name, damage) in enumerate({"": "select 1", **DAMAGE}.items()):
        check = next((check for check in soundness.CHECKS if check.name == name), None)
        if check is not None and check.only not in (None, database):
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        with filled(database, folder, request) as (store, behind):
            behind(damage.format(obs="observation" if store.folder is None else "hot_a"))
            found = wrong(store, full=True)
            assert (name in found) if name else (found == {}), (name, found)
            # Lost Datastreams are in no sample; all else is found there too, for the sample holds the one there is.
            if name != "Observations have a Datastream":
                assert (name in wrong(store, full=False)) is bool(name)


def rolled_up(store: Store) -> None:
    """All rows of the store are sealed, or rolled up."""
    database = store.open()
    if isinstance(database, SQLiteDatabase):
        database.seal_all()
    else:
        database.beside()
    database.close()


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("Rollups by hour against rows", "update rollup_hour set count = count + 1"),
        ("Rollups by hour against rows", "delete from rollup_hour"),
        ("Rollups by day against hours", "update rollup_day set last = 99"),
        ("Rollups by hour against rows", "update {obs} set result_number = 7 where id = (select max(id) from {obs})"),
    ],
)
def test_rollups_that_are_not_what_their_rows_come_to_are_found(
    database: str, name: str, damage: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with filled(database, tmp_path, request) as (store, behind):
        rolled_up(store)
        assert wrong(store, full=True) == {}
        behind(damage.format(obs="observation" if store.folder is None else "sealed"))
        assert name in wrong(store, full=True)
        assert name in wrong(store, full=False)


def test_twins_and_lost_keys_of_sealed_rows_are_found(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with filled("sqlite", tmp_path, request) as (store, behind):
        rolled_up(store)
        names = ", ".join(OBSERVATION_COLUMNS)
        behind(f"insert into hot_b ({names}) select {names} from sealed where id = 2")  # noqa: S608
        behind("delete from sealed_key where id = 3")
        assert set(wrong(store, full=True)) == {"Identities are unique", "Ids are unique", "Keys of sealed rows"}


def test_a_check_names_itself_once() -> None:
    for database in ("sqlite", "postgres"):
        names = [check.name for check in soundness.CHECKS if check.only in (None, database)]
        assert len(set(names)) == len(names)
