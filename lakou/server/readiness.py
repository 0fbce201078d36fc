"""`/readyz`: can this process do its work? Checks by plane, with reasons in French and keys for programs (trust R17).

Sensors and pages are told apart: `?for=data` is right for what routes sensors, so that a broken civic database takes no
gauge off the network, `?for=civic` for what routes pages; without it all must hold. A clock that is off is a warning,
and a transaction in PostgreSQL that keeps what is stored from being told.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lakou.kernel.errors import LakouError
from lakou.sensorthings.access import ANONYMOUS
from lakou.sensorthings.service import Service
from lakou.sensorthings.store.held import Held
from lakou.server import clock, lifetime

log = logging.getLogger(__name__)

Plane = Literal["data", "civic"]
MIN_FREE_SHARE = 0.05
MIN_FREE_BYTES = 200 * 1024 * 1024
MAX_QUEUE_SHARE = 0.8
PROBE_S = 2.0
# Anybody may ask: what was found is told again for so long.
KEPT_S = 0.5
# Commits of a busy site are told within a tenth of this.
HELD_S = 10.0


class Check(NamedTuple):
    """A check by name, the planes that need it, and what is said when it does not hold."""

    name: str
    planes: tuple[Plane, ...]
    key: str
    message: str


CHECKS: tuple[Check, ...] = (
    Check("running", ("data", "civic"), "stopping", "Le serveur s'arrête."),
    Check("started", ("data", "civic"), "starting", "Le serveur n'a pas fini de démarrer."),
    Check("store", ("data",), "store_silent", "La base des observations ne répond pas à une lecture."),
    Check("writer", ("data",), "writer_silent", "La base des observations n'accepte pas d'écriture en deux secondes."),
    Check("queue", ("data",), "queue_full", "La file d'écriture est pleine à plus de 80 %."),
    Check("disk", ("data", "civic"), "disk_low", "Il reste moins de 5 % ou de 200 Mo sur le disque."),
    Check("civic", ("civic",), "civic_silent", "La base civique (jetons, pages) ne répond pas."),
)
CLOCK_OFF = {"key": "clock_off", "message": "L'horloge s'écarte de plus d'une seconde de l'heure exacte."}
CLOCK_FREE = {"key": "clock_free", "message": "Aucun service de temps ne règle l'horloge de cette machine."}
LOG_HELD = {
    "key": "change_log_held",
    "message": "Ce qui est enregistré n'est plus annoncé : une transaction reste ouverte dans PostgreSQL.",
}


class Readiness:
    """Asks at most twice a second, whoever asks how often."""

    def __init__(self, service: Service, data_dir: Path, civic_answers: Callable[[], bool]) -> None:
        self._service = service
        self._data_dir = data_dir
        self._civic_answers = civic_answers
        self._asking: asyncio.Task[dict[str, bool]] | None = None
        self._asked = 0.0
        self._is_held = False
        self.started = False
        self.last: dict[str, bool] = {}

    async def answer(self, plane: Plane | None) -> tuple[int, dict[str, Any]]:
        """Status and body for one plane, or for all."""
        found = await self._found()
        wanted = [check for check in CHECKS if plane is None or plane in check.planes]
        checks = {check.name: found[check.name] for check in wanted if check.name in found}
        reasons = [{"key": c.key, "message": c.message} for c in wanted if found.get(c.name) is False]
        body: dict[str, Any] = {"ready": not reasons, "checks": checks}
        if reasons:
            body["reasons"] = reasons
        if warnings := [*_clock_warnings(), *([LOG_HELD] if self._is_held else [])]:
            body["warnings"] = warnings
        return 503 if reasons else 200, body

    async def _found(self) -> dict[str, bool]:
        if not self.started or lifetime.is_stopping():
            self.last = {"running": not lifetime.is_stopping(), "started": self.started}
            return self.last
        if self._asking is None or (self._asking.done() and time.monotonic() - self._asked > KEPT_S):
            self._asked = time.monotonic()
            self._asking = asyncio.create_task(self._ask(), name="readiness")
        # Shielded: one who leaves must not end the question that others wait for.
        self.last = await asyncio.shield(self._asking)
        return self.last

    async def _ask(self) -> dict[str, bool]:
        store, writer, disk, _ = await asyncio.gather(
            _holds(self._reads()),
            _holds(self._service.probe()),
            asyncio.to_thread(_disk_has_room, self._data_dir),
            _holds(self._look_at_the_log()),
        )
        return {
            "running": True,
            "started": True,
            "store": store,
            "writer": writer,
            "queue": self._service.queue_share < MAX_QUEUE_SHARE,
            "disk": disk,
            "civic": self._civic_answers(),
        }

    async def _reads(self) -> None:
        answer = await self._service.call(ANONYMOUS, "GET", "/Things?$top=0")
        if answer.status != 200:
            raise ConnectionError

    async def _look_at_the_log(self) -> None:
        self._note(await self._service.held())

    def _note(self, held: Held | None) -> None:
        """Who it is stands in the log alone: anybody may ask for `/readyz`."""
        is_held = held is not None and held.seconds >= HELD_S
        if is_held and held is not None and not self._is_held:
            log.warning(
                "Nothing is told for %.0f s: a transaction in database %r of user %r, process %d, has not ended",
                *held,
            )
        elif self._is_held and not is_held:
            log.info("What is stored is told again")
        self._is_held = is_held


async def _holds(probe: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(PROBE_S):
            await probe
    except (TimeoutError, LakouError, OSError):
        return False
    return True


def _disk_has_room(folder: Path) -> bool:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return False
    return usage.free >= max(MIN_FREE_SHARE * usage.total, MIN_FREE_BYTES)


def _clock_warnings() -> list[dict[str, str]]:
    found = clock.read()
    if found.state == "free":
        return [CLOCK_FREE]
    return [CLOCK_OFF] if found.is_off else []
