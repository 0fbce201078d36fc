"""allauth's forms in our words: their labels, without the placeholders that repeat them."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.account.forms import ResetPasswordForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.exceptions import ValidationError


class LoginForm(AllauthLoginForm):  # type: ignore[misc]  # allauth publishes no types
    """Address and password; what else is possible stands below the form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self, "login", "Adresse e-mail")
        _name(self, "password", "Mot de passe")


class SignupForm(AllauthSignupForm):  # type: ignore[misc]
    """Who opens an account by themselves."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self, "email", "Adresse e-mail", "Un lien y est envoyé, qui la confirme.")
        _name(self, "password1", "Mot de passe", " ".join(password_validators_help_texts()))
        _name(self, "password2", "Le même mot de passe, une seconde fois")


class ResetForm(ResetPasswordForm):  # type: ignore[misc]
    """Who has forgotten the password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self, "email", "Adresse e-mail")


class _WholeAnswer(forms.Form):
    """What a key answers is whole, or it is refused here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"].validators.append(_is_whole)


class ApplicationForm(ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self, "code", "Code que montre l’application")


class AddKeyForm(_WholeAnswer, AddWebAuthnForm):  # type: ignore[misc]
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


class LoginKeyForm(_WholeAnswer, LoginWebAuthnForm):  # type: ignore[misc]
    """What a passkey answers at the log-in."""


class SecondKeyForm(_WholeAnswer, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """What a key answers after the password."""


class AgainKeyForm(_WholeAnswer, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """What a key answers when it is asked again."""


def _is_whole(credential: object) -> None:
    # fido2 looks for `rawId` where there is an `id`, and breaks where it is not (WebAuthn §5.1).
    if not isinstance(credential, dict) or "rawId" not in credential:
        raise ValidationError("La réponse de la clé est incomplète.")


def _name(form: Any, field: str, label: str, help_text: str = "") -> None:
    form.fields[field].label = label
    form.fields[field].help_text = help_text
    form.fields[field].widget.attrs.pop("placeholder", None)
