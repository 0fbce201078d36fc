"""Addresses of the territory's API, below `/api/`."""

from django.urls import path

from lakou.territory import api

app_name = "territory"
urlpatterns = [
    path("territory", api.territory, name="territory"),
    path("places", api.places, name="places"),
    path("places/<int:key>", api.place, name="place"),
    path("layers", api.layers, name="layers"),
    path("layers/<slug:key>", api.layer, name="layer"),
]
