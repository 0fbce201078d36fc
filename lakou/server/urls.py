"""The addresses of pages and of the civic API; the data plane's paths never come here (server.asgi)."""

from django.urls import include, path

urlpatterns = [
    path("api/connectors/", include("lakou.connectors.urls")),
    path("", include("lakou.identity.urls")),
    path("", include("lakou.web.urls")),
]
