"""The administration of organisations. Only the host's administrators make new ones."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from lakou.identity import policy, queries
from lakou.identity.actions import organisations
from lakou.identity.forms import OrganisationForm
from lakou.identity.models import Organisation
from lakou.identity.policy import Action, Kind, Object
from lakou.identity.views.doors import actor, asked_again, for_those_who, me, say
from lakou.kernel.errors import LakouError


@for_those_who(Action.CHANGE, Kind.ORGANISATION)
@require_safe
def organisation_list(request: HttpRequest) -> HttpResponse:
    """`/administration/organisations/`: those that I administer."""
    context = {
        "organisations": queries.organisations_of_administrator(me(request)),
        "may_add": policy.may(actor(request), Action.CREATE, Object(Kind.ORGANISATION)),
    }
    return render(request, "identity/organisations.html", context)


@for_those_who(Action.CHANGE, Kind.ORGANISATION)
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """`/administration/organisations/ajouter/`."""
    if not policy.may(actor(request), Action.CREATE, Object(Kind.ORGANISATION)):
        raise PermissionDenied
    return _form_page(request, None)


@for_those_who(Action.CHANGE, Kind.ORGANISATION)
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, number: int) -> HttpResponse:
    """`/administration/organisations/<n>/`."""
    found = get_object_or_404(queries.organisations_of_administrator(me(request)), pk=number)
    if not policy.may(actor(request), Action.CHANGE, Object(Kind.ORGANISATION, found.pk)):
        raise PermissionDenied
    return _form_page(request, found)


def _form_page(request: HttpRequest, found: Organisation | None) -> HttpResponse:
    initial = {}
    if found is not None:
        initial = {"name": found.name, "kind": found.kind, "siret_text": found.siret, "territory": found.territory}
    form = OrganisationForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            if found is None:
                organisations.create_organisation(**form.cleaned_data, by=me(request))
            else:
                organisations.change_organisation(organisation=found, **form.cleaned_data, by=me(request))
        except LakouError as error:
            say(form, error)
        else:
            messages.success(request, "C’est enregistré.")
            return redirect("identity:organisations")
    status = 400 if form.errors else 200
    return render(request, "identity/organisation.html", {"form": form, "organisation": found}, status=status)
