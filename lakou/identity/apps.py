"""The Django app of tokens, people and organisations."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "lakou.identity"
    label = "identity"
    verbose_name = "Identité"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to log-ins, and let the policy know the people of sessions."""
        from lakou.identity import signals  # these need the models
        from lakou.identity.policy import requests, sessions

        signals.connect()
        requests.find_people_with(sessions.person_of_request)
