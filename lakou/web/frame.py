"""What `web/base.html` needs around any page: the territory, the lighting, the font. Also a context processor.

There the values are functions: a page that brings its own never calls them.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest

from lakou.territory.profile import Profile, load_profile

DATA_ROOT = "/sta/v1.1"
THEMES = ("jour", "nuit")


def frame(request: HttpRequest) -> dict[str, object]:
    """For pages of other packages, which know nothing of this one but the name of its template."""
    theme = request.GET.get("theme", "")
    return {
        "profile": territory,
        "theme": theme if theme in THEMES else "",
        "theme_links": partial(_theme_links, request),
        "has_font": has_font,
        "data_root": DATA_ROOT,
        "zone": lambda: territory().time_zone,
        "keep": "",
    }


def territory() -> Profile:
    """The territory of this site."""
    return load_profile(getattr(settings, "LAKOU_TERRITORY", "le-lamentin"))


@cache
def has_font() -> bool:
    """Whether set-up has fetched the pages' own font."""
    return (Path(__file__).parent / "static" / "vendor" / "font.css").is_file()


def _theme_links(request: HttpRequest) -> list[tuple[str, str, bool]]:
    """This page in each lighting; everything else of its address stays."""
    links = []
    for name in THEMES:
        query = request.GET.copy()
        query["theme"] = name
        links.append((name, f"{request.path}?{query.urlencode()}", request.GET.get("theme") == name))
    return links
