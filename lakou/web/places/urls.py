"""Addresses of the pages of places, below `/lieux/`; names are those of `web`."""

from django.urls import path

from lakou.web.places import views

urlpatterns = [
    path("", views.places, name="lieux"),
    path("<int:key>/", views.place, name="lieu"),
]
