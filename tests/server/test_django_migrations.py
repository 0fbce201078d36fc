"""Migrations of Django's part: what a site has applied is never changed again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import lakou

APPLIED = {
    "connectors/migrations/0001_initial.py": "3e32985653eb2e31",
    "identity/migrations/0001_initial.py": "a809423575f26041",
    "identity/migrations/0002_first_rows.py": "af58ba6fe77ff85d",
    "identity/migrations/0003_journal.py": "1b254832936a664e",
    "identity/migrations/0004_token_scopes.py": "262345fbf2a7c685",
    "identity/migrations/0005_people.py": "78a9523134162bf7",
    "identity/migrations/0006_token_organisation.py": "fc8a4f12b496fa68",
    "territory/migrations/0001_initial.py": "a4bcc48db86c120c",
}


def test_no_migration_is_changed_once_a_site_may_have_applied_it() -> None:
    root = Path(lakou.__file__).parent
    found = {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in root.glob("*/migrations/0*.py")
    }
    assert found == APPLIED, "write a new migration; its digest is added here"
