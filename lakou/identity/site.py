"""How this site is called, and the whole address of its pages as they stand in mail.

No address is built from the Host header, which anybody can write: links in mail begin with the site's `base_url`.
"""

from __future__ import annotations

from django.conf import settings

NAME = "Lakou"


def absolute(path: str) -> str:
    """The whole address of a page of this site; the path alone where the site does not know its own address."""
    return f"{settings.LAKOU_BASE_URL or ''}{path}"
