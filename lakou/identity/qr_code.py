"""A QR code as SVG in the page: no inline style, no image to fetch, colours by class (`account.css`)."""

from __future__ import annotations

import itertools

import qrcode
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

QUIET_ZONE = 4  # ISO/IEC 18004 §9.1


def draw(text: str, label: str) -> SafeString:
    """The QR code of a text, dark on light whatever the page's lighting: readers want it so."""
    code = qrcode.QRCode(border=QUIET_ZONE, error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(text)
    rows = code.get_matrix()
    return format_html(
        '<svg class="qr" role="img" aria-label="{}" viewBox="0 0 {} {}" shape-rendering="crispEdges">'
        '<rect class="paper" width="{}" height="{}"/><path class="ink" d="{}"/></svg>',
        label,
        *itertools.repeat(len(rows), 4),
        mark_safe("".join(_runs(rows))),  # noqa: S308  letters and digits made below
    )


def _runs(rows: list[list[bool]]) -> list[str]:
    """Each run of dark modules of a row as a rectangle."""
    parts = []
    for y, row in enumerate(rows):
        x = 0
        for is_dark, run in itertools.groupby(row):
            length = len(list(run))
            if is_dark:
                parts.append(f"M{x} {y}h{length}v1h-{length}z")
            x += length
    return parts
