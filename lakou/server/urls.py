"""The addresses of pages and of the civic API; the data plane's paths never come here (server.asgi)."""

from importlib.util import find_spec

from django.conf import settings
from django.urls import include, path

urlpatterns = [
    path(p, include(a + ".urls"))
    for p, a in (("api/connectors/", "lakou.connectors"), ("", "lakou.web"))
    if a in settings.INSTALLED_APPS and find_spec(a + ".urls")
]
