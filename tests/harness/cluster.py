"""A PostgreSQL server of the test's own, in a temporary folder, to be stopped, killed and started again at will.

PostgreSQL refuses to run as root: then its programs run as the user `postgres`, as in .ci/run.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.harness.server import ServerFailed, free_port

_TIMEOUT_S = 60.0


def programs() -> Path | None:
    """The folder of the newest PostgreSQL server installed as Debian does, None when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


class Cluster:
    """One PostgreSQL server on loopback; everything in it is durable, as in production."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self._folder = folder
        self._bin = bin_
        self.port = free_port()

    @property
    def url(self) -> str:
        """A superuser's URL."""
        return f"postgresql://lakou@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        self._run("initdb", "-D", self._data, "-U", "lakou", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder} -c max_connections=60 -c shared_buffers=64MB"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", f"{self._folder}/log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: the server recovers from its log at the next start."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._bin / program), *words]
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]
        # pg_ctl's child keeps what it inherits: a pipe would never end.
        with (self._folder / f"{program}.out").open("wb") as out:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self._folder,
                timeout=_TIMEOUT_S,
                check=False,
            )
        if done.returncode != 0:
            raise ServerFailed(f"{program} failed: {(self._folder / f'{program}.out').read_text()[-2000:]}")


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A started server; it is stopped and removed at the end. Raises ServerFailed without PostgreSQL's programs."""
    bin_ = programs()
    if bin_ is None:
        raise ServerFailed("PostgreSQL's server programs are not in /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="lakou-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    made = Cluster(folder, bin_)
    try:
        made.create()
        made.start()
        yield made
    finally:
        with contextlib.suppress(ServerFailed):
            made.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
