"""allauth's forms in our words: their labels, without the placeholders that repeat them."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm


class LoginForm(AllauthLoginForm):  # type: ignore[misc]  # allauth publishes no types
    """Address and password; what else is possible stands below the form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self, "login", "Adresse e-mail")
        _name(self, "password", "Mot de passe")


class ApplicationForm(ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self, "code", "Code que montre l’application")


class AddKeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """A key or a passkey, and its name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self, "name", "Nom", "Pour la reconnaître, par exemple : téléphone d’astreinte.")
        _name(
            self,
            "passwordless",
            "Passkey : se connecter sans mot de passe",
            "L’appareil demande alors une empreinte, un visage ou un code.",
        )


class EditKeyForm(EditWebAuthnForm):  # type: ignore[misc]
    """Another name for a key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self, "name", "Nom")


def _name(form: Any, field: str, label: str, help_text: str = "") -> None:
    form.fields[field].label = label
    form.fields[field].help_text = help_text
    form.fields[field].widget.attrs.pop("placeholder", None)
