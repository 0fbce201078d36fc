"""The Django app of connectors: their state and their runs."""

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "lakou.connectors"
    label = "connectors"
    verbose_name = "Connecteurs"
    default_auto_field = "django.db.models.BigAutoField"
