"""The addresses of pages and of the civic API; the data plane's paths never come here (server.asgi)."""

from django.urls import include, path

urlpatterns = [
    path("administration/", include("lakou.identity.administration.urls")),
    path("api/connectors/", include("lakou.connectors.urls")),
    path("api/", include("lakou.territory.urls")),
    path("", include("lakou.identity.urls")),
    path("", include("lakou.web.urls")),
]
