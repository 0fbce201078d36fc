"""The Django app of the territory: its layers and its register of places."""

from django.apps import AppConfig


class TerritoryConfig(AppConfig):
    name = "lakou.territory"
    label = "territory"
    verbose_name = "Territoire"
    default_auto_field = "django.db.models.BigAutoField"
