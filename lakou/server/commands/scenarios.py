"""`lakou scenario …`: the scenarios of the simulated territory, and the clock of a simulator that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer
from rich.console import Console

from lakou.kernel.errors import BadRequest, Conflict, LakouError, NotFound, Unauthorized, Unavailable
from lakou.server.commands import demo
from lakou.simulator import credentials
from lakou.simulator import scenario as scenarios

app = typer.Typer(no_args_is_help=True, help="Scenarios of the simulated territory. All of them are exercises.")
out = Console(highlight=False)
TIMEOUT_S = 300.0

Data = Annotated[Path, typer.Option("--data", help="Data folder of the demonstration whose simulator runs")]
_KINDS: dict[int, type[LakouError]] = {400: BadRequest, 401: Unauthorized, 404: NotFound, 409: Conflict}


@app.command("list")
def list_() -> None:
    """List the scenarios that come with the product."""
    found = [scenarios.load(name) for name in scenarios.names()]
    width = max(len(each.name) for each in found)
    for each in found:
        line = f"{each.name:{width}}  {each.duration_min:5g} min  {len(each.injects):3} injects  {each.title}"
        out.print(line, markup=False, soft_wrap=True)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A scenario, or a file ….yaml")]) -> None:
    """Show a scenario: what it is about, its effects and its injects in order of time."""
    found = scenarios.load(name)
    out.print(found.title, style="bold", markup=False)
    out.print(found.summary, markup=False, soft_wrap=True)
    out.print(f"À calibrer : {found.to_calibrate}", markup=False, soft_wrap=True)
    out.print(f"{found.duration_min:g} min, {len(found.effects)} effects", markup=False)
    for inject in found.injects:
        out.print(f"{inject.at_min:+8g} min  {inject.sender} : {inject.text}", markup=False, soft_wrap=True)


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A scenario file")]) -> None:
    """Check a scenario file; what is wrong is told with its place."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}", place="FILE") from error
    found = scenarios.read(content, file.name)
    out.print(f"{file.name} is well: {found.name}, {found.duration_min:g} min, {len(found.injects)} injects")


@app.command()
def play(
    name: Annotated[str, typer.Argument(help="A scenario, or a file ….yaml that the simulator can read")],
    speed: demo.Speed = 1.0,
    rewrite: demo.Rewrite = False,
    data: Data = demo.DEMO_DATA,
) -> None:
    """Begin a scenario in the running simulator."""
    source = str(Path(name).resolve()) if name.endswith((".yaml", ".yml")) else name
    _say(_ask(data, "PUT", "/scenario", {"name": source, "speed": speed, "rewrite": rewrite}))


@app.command()
def pause(data: Data = demo.DEMO_DATA) -> None:
    """Let the simulated territory stand still."""
    _say(_ask(data, "PUT", "/clock", {"paused": True}))


@app.command()
def resume(data: Data = demo.DEMO_DATA) -> None:
    """Let it run on."""
    _say(_ask(data, "PUT", "/clock", {"paused": False}))


@app.command()
def speed(
    value: Annotated[float, typer.Argument(help="1 to 600; it never passes the present")], data: Data = demo.DEMO_DATA
) -> None:
    """Change how fast it catches up with the present."""
    _say(_ask(data, "PUT", "/clock", {"speed": value}))


@app.command()
def jump(
    at: Annotated[str, typer.Argument(help="Minutes after the scenario's beginning, as +47, or an instant (ISO)")],
    data: Data = demo.DEMO_DATA,
) -> None:
    """Go to another instant: back, the same values come again; ahead of the present, the scenario is moved."""
    _say(_ask(data, "PUT", "/clock", {"at": at}))


@app.command()
def state(data: Data = demo.DEMO_DATA) -> None:
    """Say what plays, and where it stands."""
    _say(_ask(data, "GET", "/clock"))


@app.command()
def report(data: Data = demo.DEMO_DATA) -> None:
    """Count what was planned, acknowledged, stored and kept for later; ends with 1 when something is lost."""
    found = _ask(data, "GET", "/report")
    words = ("planned", "acknowledged", "stored", "kept", "refused")
    out.print(
        f"{found['start']} to {found['end']}: " + ", ".join(f"{found[word]} {word}" for word in words), soft_wrap=True
    )
    for line in found["wrong"][:20]:
        out.print(line, markup=False)
    if not found["whole"]:
        raise typer.Exit(1)


def _say(found: dict[str, Any]) -> None:
    running = "paused" if found["paused"] else f"×{found['speed']:g}"
    behind = "in the present" if found["behind_s"] < 1 else f"{found['behind_s']:.0f} s behind the present"
    out.print(found["title"], style="bold", markup=False)
    out.print(f"{found['at_min']:+.1f} min ({found['now']}), {running}, {behind}", markup=False)


def _ask(data: Path, method: str, path: str, body: object = None) -> dict[str, Any]:
    """One request to the control API of the simulator that runs beside this data folder."""
    place = data / demo.CONTROL_FILE
    try:
        url = msgspec.json.decode(place.read_bytes())["url"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        raise Unavailable(
            f"No simulator runs beside {data}", place="--data", hint="start one with lakou demo, or give its folder"
        ) from error
    secret = credentials.read(data / demo.SIMULATOR_FILE).control
    try:
        answer = httpx.request(
            method, url + path, headers={"Authorization": f"Bearer {secret}"}, timeout=TIMEOUT_S, trust_env=False,
            content=None if body is None else msgspec.json.encode(body),
        )  # fmt: skip
    except httpx.TransportError as error:
        raise Unavailable(
            "The simulator does not answer", place="--data", hint="is lakou demo still running?"
        ) from error
    found = msgspec.json.decode(answer.content)
    if not answer.is_success:
        kind = _KINDS.get(answer.status_code, Unavailable)
        raise kind(found.get("message", "refused"), place=found.get("place"), hint=found.get("hint"))
    return dict(found)
