"""The Django app of the pages."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """App label `web`; it has templates and static files, no tables."""

    name = "lakou.web"
    label = "web"
