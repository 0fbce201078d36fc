"""How the templates of identity write instants and browsers, in French."""

from __future__ import annotations

import re
from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.formats import date_format

register = template.Library()

# The first that fits: others put these names into theirs.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@register.filter
def moment(instant: datetime | None) -> str:
    """`26 novembre 2026, 14 h 32` in the zone of the territory; a dash where there is none."""
    if instant is None:
        return "–"
    local = timezone.localtime(instant)
    return f"{date_format(local, 'j F Y')}, {local.hour}\u202fh\u202f{local.minute:02}"


@register.filter
def browser(user_agent: str) -> str:
    """`Firefox, Linux`, as far as the browser's own word goes; else the beginning of that word."""
    name = next((said for mark, said in _BROWSERS if mark in user_agent), "")
    system = next((said for mark, said in _SYSTEMS if mark in user_agent), "")
    said = ", ".join(part for part in (name, system) if part)
    return said or re.sub(r"[/\s].*", "", user_agent)[:40] or "inconnu"
