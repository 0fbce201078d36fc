"""What a run of the simulator is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lakou.simulator.credentials import Credentials
from lakou.simulator.feeds import HISTORY_S
from lakou.simulator.network import SEED, USUAL


@dataclass(frozen=True, slots=True)
class Settings:
    """`mqtt` None: those groups send over HTTP. `control_port` None: no control API. `history_s`: filled behind."""

    base_url: str
    credentials: Credentials
    mqtt: tuple[str, int] | None = None
    scenario: str = "ordinaire"
    speed: float = 1.0
    sensors: int = USUAL
    seed: int = SEED
    history_s: float = HISTORY_S
    rewrite: bool = False
    control_port: int | None = None
    control_file: Path | None = None
