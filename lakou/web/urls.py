"""The pages' addresses (DESIGN §6)."""

from __future__ import annotations

from django.urls import include, path

from lakou.web import views

app_name = "web"
urlpatterns = [
    path("", views.home, name="home"),
    path("poste", views.poste, name="poste"),
    path("lieux/", include("lakou.web.places.urls")),
]
