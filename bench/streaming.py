"""The event stream: many listeners, a steady pace of Observations, and what it costs the server."""

from __future__ import annotations

from bench import stream_loader
from bench.dataset import Dataset
from bench.loading import BUSY_SHARE, run_loader
from bench.server import Server
from bench.session import Session
from bench.stream_loader import Heard

PROMISED_CLIENTS = 1_000
PACE = 50.0
READERS = 20
OPENING_S = 60.0


def live(session: Session, server: Server, entities: Dataset) -> None:
    """The share of a core that the server takes, deliveries, and latencies from POST to client."""
    chosen = session.settings
    session.say(f"{chosen.clients:,} event-stream clients")
    job = stream_loader.Job(
        server.port, server.wire, server.pids, entities.first, session.later(), chosen.clients,
        min(READERS, chosen.clients), PACE, chosen.live_s,
    )  # fmt: skip
    heard = run_loader("bench.stream_loader", job, Heard, chosen.live_s + OPENING_S)
    session.added[server.port] += heard.greeted + heard.posted
    pace = heard.posted / heard.seconds
    note = [f"{heard.clients:,} clients, {pace:.1f} events/s"]
    if heard.loader_share > BUSY_SHARE:
        note.append(f"the loader used {heard.loader_share:.0%} of a core and may be the limit")
    short = heard.clients < PROMISED_CLIENTS or pace < 0.95 * PACE
    session.note("live_share", heard.server_share * 100, ", ".join(note), short=short)
    session.note("live_delivered", heard.delivered / (heard.posted * heard.clients) * 100)
    session.note("live_p50", heard.p50_ms)
    session.note("live_p99", heard.p99_ms)
