"""Addresses of the webhooks, below `/api/connectors/`."""

from django.urls import path

from lakou.connectors import views

app_name = "connectors"
urlpatterns = [
    path("lorawan/chirpstack", views.chirpstack, name="lorawan-chirpstack"),
    path("lorawan/tts", views.tts, name="lorawan-tts"),
]
