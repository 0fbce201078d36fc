"""The Django app of tokens, people and organisations."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "lakou.identity"
    label = "identity"
    verbose_name = "Identité"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to log-ins."""
        from lakou.identity import signals  # needs the models

        signals.connect()
