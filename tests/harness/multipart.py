"""Writing and reading multipart/mixed batches (18-088 §11; OData 4.0 part 1 §11.7), without the product's code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

BOUNDARY = "batch_b1"
CHANGES = "changeset_c1"


@dataclass(frozen=True)
class Part:
    """One request of a batch. `line` is the request line's target; `version` is left out when empty."""

    method: str
    target: str
    body: Any = None
    content_id: str | None = None
    version: str = "HTTP/1.1"
    media: str = "application/json"

    def text(self) -> str:
        head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
        if self.content_id is not None:
            head += f"Content-ID: {self.content_id}\r\n"
        line = f"{self.method} {self.target} {self.version}".rstrip()
        if self.body is None:
            return f"{head}\r\n{line}\r\nHost: localhost\r\n\r\n"
        content = self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)
        size = len(content.encode())
        return f"{head}\r\n{line}\r\nContent-Type: {self.media}\r\nContent-Length: {size}\r\n\r\n{content}"


def batch(*parts: Part | list[Part]) -> str:
    """The body of a batch; a list is one change set."""
    lines = []
    for number, part in enumerate(parts):
        if isinstance(part, Part):
            lines.append(f"--{BOUNDARY}\r\n{part.text()}\r\n")
            continue
        boundary = f"{CHANGES}{number}"
        inner = "".join(f"--{boundary}\r\n{each.text()}\r\n" for each in part)
        lines.append(
            f"--{BOUNDARY}\r\nContent-Type: multipart/mixed;boundary={boundary}\r\n\r\n{inner}--{boundary}--\r\n"
        )
    return "".join(lines) + f"--{BOUNDARY}--\r\n"


@dataclass
class Answer:
    """One response of a batch answer, or the responses of one change set in `parts`."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content_id: str | None = None
    text: str = ""
    parts: list[Answer] | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def read_answers(media: str, text: str) -> list[Answer]:
    """The answers in a multipart body whose Content-Type is `media`. Line ends may be CRLF or LF."""
    found = re.search(r'boundary="?([^";]+)"?', media)
    assert found is not None, media
    boundary = found.group(1)
    text = text.replace("\r\n", "\n")
    pieces = re.split(rf"(?:^|\n)--{re.escape(boundary)}(?:--)?[ \t]*(?=\n|$)", text)
    assert text.rstrip().endswith(f"--{boundary}--"), text[-200:]
    return [_answer(piece.removeprefix("\n")) for piece in pieces[1:-1]]


def _answer(piece: str) -> Answer:
    head, _, rest = piece.partition("\n\n")
    outer = _headers(head)
    if outer.get("content-type", "").startswith("multipart/mixed"):
        return Answer(parts=read_answers(outer["content-type"], rest))
    status_line, _, after = rest.partition("\n")
    found = re.match(r"HTTP/1\.1 (\d{3})", status_line, re.IGNORECASE)
    assert found is not None, piece
    inner_head, _, body = after.partition("\n\n") if not after.startswith("\n") else ("", "", after[1:])
    inner = _headers(inner_head)
    return Answer(int(found.group(1)), inner, outer.get("content-id", inner.get("content-id")), body.strip())


def _headers(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.split("\n") if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
