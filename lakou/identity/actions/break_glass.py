"""Break-glass: a printed sheet of codes that opens an account when nothing else is left, without any outside service.

It takes the password and one code. The code is looked at first: without a right one there is nothing to guess at, and
no slow hash to keep the machine busy with. So nobody is ever locked out here by what others try. Whoever found a sheet
has `MAX_FAILURES` passwords for each code.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction
from django.db.models import QuerySet

from lakou.identity import acts, handed_over, queries
from lakou.identity.models import BreakGlassCode, Person
from lakou.kernel.errors import Unauthorized

MAX_FAILURES = 5


@transaction.atomic
def print_sheet(*, person: Person, by: Person | None = None, now: datetime | None = None) -> list[str]:
    """New codes, in the order of their numbers; all older ones stop. They exist only here: shown once, never stored."""
    at = now or datetime.now(UTC)
    queries.codes_left(person).update(withdrawn=at)
    codes = [handed_over.make_code() for _ in range(handed_over.CODES_ON_A_SHEET)]
    BreakGlassCode.objects.bulk_create(
        BreakGlassCode(
            person=person, number=number, sha256=handed_over.digest(handed_over.read_code(code) or ""), printed=at
        )
        for number, code in enumerate(codes, start=1)
    )
    acts.note(
        "break_glass.printed",
        actor=acts.actor_of(by),
        subject=acts.person(person.pk),
        detail={"codes": len(codes)},
        now=now,
    )
    return codes


def use_code(*, email: str, password: str, code: str, now: datetime | None = None) -> Person:
    """Spend a code. Raises Unauthorized, always with the same words; a wrong password is counted against the code."""
    at = now or datetime.now(UTC)
    letters = handed_over.read_code(code)
    sha256 = handed_over.digest(letters) if letters else ""
    # Looked at without a lock first: strangers must not keep the database busy.
    if not _open_codes(sha256, email).exists():
        acts.note_gathered("break_glass.refused", detail={"why": "code"})
        raise _refusal()
    person, left = _spend(sha256, email, password, at)
    if person is None:
        raise _refusal()
    acts.note(
        "break_glass.used",
        actor=acts.person(person.pk),
        subject=acts.person(person.pk),
        detail={"codes_left": left},
        now=at,
    )
    return person


@transaction.atomic
def _spend(sha256: str, email: str, password: str, at: datetime) -> tuple[Person | None, int]:
    """The person, and how many codes are left. A failure is committed too, so it is not an exception here."""
    found = _open_codes(sha256, email).select_for_update(of=("self",)).select_related("person").first()
    if found is None:  # spent by somebody else just now
        return None, 0
    if not found.person.check_password(password):
        found.failures += 1
        if found.failures >= MAX_FAILURES:
            found.withdrawn = at
        found.save(update_fields=["failures", "withdrawn"])
        acts.note(
            "break_glass.refused",
            actor=acts.ANONYMOUS,
            subject=acts.person(found.person_id),
            outcome="failure",
            detail={"why": "password", "number": found.number},
            now=at,
        )
        return None, 0
    found.used = at
    found.save(update_fields=["used"])
    return found.person, queries.codes_left(found.person).count()


def _open_codes(sha256: str, email: str) -> QuerySet[BreakGlassCode]:
    """The code of this digest while it opens the account of this address; at most one."""
    return BreakGlassCode.objects.filter(
        sha256=sha256,
        used__isnull=True,
        withdrawn__isnull=True,
        person__email=email.strip().lower(),
        person__is_active=True,
    )


def _refusal() -> Unauthorized:
    return Unauthorized(
        "The address, the password and the code do not go together",
        place="code",
        hint="take a code that was not used yet; mind the order of the letters",
    )
