"""The forms of identity's own pages. What allauth asks for, it asks with its own forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts

from lakou.identity.models import Organisation, OrganisationKind, PersonRole

_LETTERS = {"autocapitalize": "none", "spellcheck": "false"}


def _password(label: str, autocomplete: str) -> forms.CharField:
    """A password as it was typed, spaces too; browsers are told whether it is a new one."""
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=1000, strip=False, widget=widget)


class BreakGlassForm(forms.Form):
    """Address, password and one printed code."""

    email = forms.EmailField(
        label="Adresse e-mail", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = _password("Mot de passe", "current-password")
    code = forms.CharField(
        label="Code de secours",
        max_length=100,
        help_text="Un code de la feuille imprimée, de 28 lettres et chiffres. Les tirets ne comptent pas.",
        widget=forms.TextInput(attrs={**_LETTERS, "autocomplete": "one-time-code"}),
    )


class PasswordForm(forms.Form):
    """A new password, given twice."""

    password1 = _password("Mot de passe", "new-password")
    password2 = _password("Le même mot de passe, une seconde fois", "new-password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = " ".join(password_validators_help_texts())

    def clean(self) -> dict[str, Any]:
        """Both must be the same; what the site asks of a password is checked by the action."""
        given = super().clean() or {}
        if given.get("password1") and given.get("password2") and given["password1"] != given["password2"]:
            self.add_error("password2", "Les deux mots de passe ne sont pas les mêmes.")
        return given


class JoinForm(PasswordForm):
    """Joining by an invitation as somebody new."""

    name = forms.CharField(
        label="Nom et prénom", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ("name", "password1", "password2")


class NameForm(forms.Form):
    """One's name."""

    name = forms.CharField(
        label="Nom et prénom",
        max_length=120,
        required=False,
        help_text="Comme vos collègues le lisent. Il peut rester vide.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


class AddressForm(forms.Form):
    """The address that one wants."""

    address = forms.EmailField(
        label="Nouvelle adresse e-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", **_LETTERS}),
    )


class EraseForm(forms.Form):
    """The address of who is erased, typed again: nothing brings them back."""

    email = forms.EmailField(
        label="Adresse e-mail du compte",
        max_length=254,
        help_text="Pour confirmer, écrivez l’adresse en entier.",
        widget=forms.EmailInput(attrs={"autocomplete": "off", **_LETTERS}),
    )

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._expected = expected

    def clean_email(self) -> str:
        """It must be this account's, in any case of letters."""
        given = str(self.cleaned_data["email"]).strip().lower()
        if given != self._expected:
            raise forms.ValidationError("Ce n’est pas l’adresse de ce compte. Rien n’a été effacé.")
        return given


class GrantForm(forms.Form):
    """A role in one of the organisations that the administrator may act in."""

    organisation = forms.ModelChoiceField(label="Organisation", queryset=Organisation.objects.none())
    role = forms.ChoiceField(label="Rôle", choices=PersonRole.choices)
    territory = forms.CharField(
        label="Territoire (facultatif)",
        required=False,
        max_length=60,
        help_text="La clé d’un territoire, par exemple le-lamentin. Vide : tout le territoire de l’organisation.",
        widget=forms.TextInput(attrs=_LETTERS),
    )

    def __init__(self, *args: Any, organisations: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101
        field.queryset = organisations
        if len(organisations) == 1:
            field.initial = organisations[0]


class InviteForm(GrantForm):
    """Whom to invite, and as what."""

    email = forms.EmailField(label="Adresse e-mail", max_length=254)
    field_order = ("email", "organisation", "role", "territory")


class OrganisationForm(forms.Form):
    """What is said of an organisation."""

    name = forms.CharField(label="Nom", max_length=120)
    kind = forms.ChoiceField(label="Sorte", choices=OrganisationKind.choices)
    siret_text = forms.CharField(
        label="SIRET (facultatif)",
        required=False,
        max_length=30,
        help_text="14 chiffres. Seule la clé de contrôle est vérifiée, pas l’existence de l’établissement.",
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    territory = forms.CharField(
        label="Territoire (facultatif)",
        required=False,
        max_length=60,
        help_text="La clé de son profil, par exemple le-lamentin.",
        widget=forms.TextInput(attrs=_LETTERS),
    )


class HandOnForm(forms.Form):
    """That the administrator knows what handing the site on means."""

    understood = forms.BooleanField(label="Je sais que mon organisation n’administrera plus ce site")
