"""The forms of tokens, in French: what was typed as plain values, or what is wrong with it and where."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from lakou.identity.models import Organisation, Role

ROLES = (
    (Role.DEVICE, "Appareil : écrit ce qui est à lui"),
    (Role.AGENT, "Agent : écrit tout ce qu’il voit"),
    (Role.ADMIN, "Administrateur : voit et écrit tout"),
)
OVERLAPS = ((0, "tout de suite"), (3_600, "dans une heure"), (86_400, "dans un jour"), (604_800, "dans une semaine"))


class IdsField(forms.CharField):
    """Ids separated by commas or spaces; gives a list of whole numbers."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
        super().__init__(required=False, max_length=8_000, widget=widget, **options)

    def to_python(self, value: Any) -> Any:
        words = str(value or "").replace(",", " ").replace(";", " ").split()
        if not all(word.isascii() and word.isdigit() and 0 < int(word[:19]) < 2**63 for word in words):
            raise forms.ValidationError("Des numéros séparés par des virgules : 12, 15.")
        return sorted({int(word) for word in words})


class ScopeForm(forms.Form):
    """What a token may add Observations to."""

    things = IdsField(label="Objets", help_text="Numéros des objets (Things), séparés par des virgules.")
    datastreams = IdsField(label="Flux", help_text="Numéros des flux (Datastreams), séparés par des virgules.")


class NewTokenForm(ScopeForm):
    """A new token."""

    name = forms.RegexField(
        r"^\w[\w .@+-]{0,79}$",
        label="Nom",
        help_text="Celui de l’appareil ou du programme, par exemple limnimetre-12. C’est aussi l’utilisateur MQTT.",
        error_messages={"invalid": "De 1 à 80 lettres, chiffres, espaces ou . @ + - _"},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(label="Rôle", choices=ROLES, widget=forms.RadioSelect, initial=Role.DEVICE)
    expires = forms.DateField(
        label="Dernier jour",
        required=False,
        help_text="Laisser vide pour un jeton sans fin.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    owner = forms.ChoiceField(label="Organisation", help_text="Ses membres lisent ce que ce jeton restreint.")
    field_order = ("name", "owner", "role", "things", "datastreams", "expires")

    def __init__(
        self, *values: Any, roles: Collection[str], organisations: Sequence[Organisation | None], may_scope: bool
    ) -> None:
        super().__init__(*values)
        self._organisations = {str(one.pk): one for one in organisations if one is not None}
        self._first = organisations[0] if organisations else None
        owner = self.fields["owner"]
        assert isinstance(owner, forms.ChoiceField)  # noqa: S101  declared above
        owner.required = False
        owner.choices = [(number, one.name) for number, one in self._organisations.items()]
        if len(self._organisations) < 2:
            del self.fields["owner"]
        role = self.fields["role"]
        assert isinstance(role, forms.ChoiceField)  # noqa: S101  declared above
        role.choices = [choice for choice in ROLES if choice[0] in roles]
        if not may_scope:
            del self.fields["things"], self.fields["datastreams"]

    def organisation(self) -> Organisation | None:
        """Whose token it becomes: the chosen one, else the first that the actor may choose."""
        return self._organisations.get(self.cleaned_data.get("owner", ""), self._first)

    def ends(self) -> datetime | None:
        """The end of the last day, in the zone of the territory."""
        day = self.cleaned_data["expires"]
        if day is None:
            return None
        after = datetime.combine(day + timedelta(days=1), time(), timezone.get_default_timezone())
        return after.astimezone(UTC)


class RotateForm(forms.Form):
    """A new secret for a token."""

    overlap = forms.TypedChoiceField(label="L’ancien secret s’arrête", choices=OVERLAPS, coerce=int, initial=0)

    def overlap_time(self) -> timedelta:
        """For how long the old secret works still."""
        return timedelta(seconds=self.cleaned_data["overlap"])
