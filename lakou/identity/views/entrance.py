"""Ways in beside the usual one: an invitation's link, and break-glass."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.signals import user_logged_in
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from lakou.identity import queries, second_factor
from lakou.identity.actions import break_glass as break_glass_actions
from lakou.identity.actions import invitations
from lakou.identity.forms import BreakGlassForm, JoinForm, PasswordForm
from lakou.identity.models import Person
from lakou.identity.views.doors import said, say
from lakou.kernel.errors import Conflict, LakouError, NotFound, Unauthorized

INVITATION = "lakou.invitation"


@never_cache
@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "HEAD", "POST"])
def break_glass(request: HttpRequest) -> HttpResponse:
    """`/secours/`: address, password and one printed code. Needs nothing but the civic database."""
    form = BreakGlassForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            person = break_glass_actions.use_code(email=given["email"], password=given["password"], code=given["code"])
        except Unauthorized as error:
            form.add_error(None, said(error)[1])
            status = 401
        else:
            return _enter(request, person)
    return render(request, "identity/break_glass.html", {"form": form}, status=status)


def _enter(request: HttpRequest, person: Person) -> HttpResponse:
    """Log in without the second factor: the printed code is one (DESIGN: it must work when all else is away)."""
    get_adapter().login(request, person)
    record_authentication(request, person, second_factor.BREAK_GLASS)
    response = redirect("account_overview")
    user_logged_in.send(sender=Person, request=request, response=response, user=person)
    left = queries.codes_left(person).count()
    messages.warning(request, f"Session de secours. Barrez ce code sur la feuille ; il en reste {left}.")
    return response


@never_cache
@require_http_methods(["GET", "HEAD"])
def invitation_link(request: HttpRequest, secret: str) -> HttpResponse:
    """`/invitation/<secret>/`: put the secret into the session, out of the address; nothing is used up by looking."""
    try:
        invitations.find(secret)
    except NotFound as error:
        return _gone(request, error)
    request.session[INVITATION] = secret
    return redirect("identity:invitation")


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest) -> HttpResponse:
    """`/invitation/`: join as somebody new, as who one is already, or set a new password."""
    secret = str(request.session.get(INVITATION, ""))
    try:
        found = invitations.find(secret)
        if found.person is not None:
            return _new_password(request, secret)
        owner = queries.person_by_email(found.email)
        if owner is None:
            return _join(request, secret, found)
        if request.user.is_authenticated and request.user.pk == owner.pk:
            return _join_as(request, secret, found, owner)
    except NotFound as error:
        return _gone(request, error)
    if request.user.is_authenticated:
        return render(request, "identity/invitation_other.html", {"invitation": found})
    return redirect(f"{reverse('account_login')}?{urlencode({'next': reverse('identity:invitation')})}")


def _join(request: HttpRequest, secret: str, found: object) -> HttpResponse:
    form = JoinForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitations.accept(secret=secret, name=form.cleaned_data["name"], password=form.cleaned_data["password1"])
        except Conflict:
            return redirect("identity:invitation")
        except NotFound:
            raise
        except LakouError as error:
            say(form, error)
        else:
            return _done(request, "Votre compte est prêt. Connectez-vous.")
    return render(request, "identity/join.html", {"form": form, "invitation": found})


def _join_as(request: HttpRequest, secret: str, found: object, person: Person) -> HttpResponse:
    if request.method == "POST":
        invitations.accept_as(secret=secret, person=person)
        request.session.pop(INVITATION, None)
        messages.success(request, "C’est fait : vous avez ce rôle.")
        return redirect("account_overview")
    return render(request, "identity/join_as.html", {"invitation": found, "person": person})


def _new_password(request: HttpRequest, secret: str) -> HttpResponse:
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitations.accept(secret=secret, name="", password=form.cleaned_data["password1"])
        except NotFound:
            raise
        except LakouError as error:
            say(form, error)
        else:
            return _done(request, "Votre nouveau mot de passe est enregistré. Connectez-vous.")
    return render(request, "identity/new_password.html", {"form": form})


def _gone(request: HttpRequest, error: NotFound) -> HttpResponse:
    if INVITATION in request.session:
        del request.session[INVITATION]
    return render(request, "identity/invitation_gone.html", {"said": said(error)[1]}, status=404)


def _done(request: HttpRequest, text: str) -> HttpResponse:
    request.session.pop(INVITATION, None)
    messages.success(request, text)
    return redirect("account_login")
