"""`lakou audit` as an operator meets it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.server.test_cli import lakou


def test_acts_at_the_command_line_are_read_exported_verified_and_a_change_is_found(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "data")]
    assert lakou("audit", "export", *data).stdout == ""
    noted = lakou("audit", "head", *data).stdout.strip()
    (line,) = lakou("audit", "export", *data).stdout.splitlines()
    assert json.loads(line)["event"]["action"] == "journal.exported"
    assert "ligne de commande" in json.loads(line)["user"]["name"]
    assert "journal.exported" in lakou("audit", "list", "--last", "1", *data).stdout
    done = lakou("audit", "verify", "--head", noted, *data)
    assert (done.returncode, done.stdout[:31]) == (0, "The journal is whole: 2 rows. H")
    with sqlite3.connect(tmp_path / "data" / "civic.db") as connection:
        connection.execute("DROP TRIGGER journal_no_update")
        connection.execute("UPDATE identity_journalrow SET subject = 'other' WHERE seq = 2")
    done = lakou("audit", "verify", *data)
    assert (done.returncode, done.stdout[:18]) == (1, "Row 2 was changed,")
