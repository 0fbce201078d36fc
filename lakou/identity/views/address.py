"""Changing one's name and one's e-mail address.

An address takes the place of the old one when it was confirmed by its link *and* by its person, who is logged in: who
typed somebody else's by mistake does not hand their account over. The old address is told first; while it cannot be,
nothing changes and the link stays good.
"""

from __future__ import annotations

from allauth.account.internal.flows.email_verification import consume_email_verification_rate_limit
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.views import confirm_email
from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from lakou.identity import mail, queries
from lakou.identity.actions import people
from lakou.identity.adapters import not_sent
from lakou.identity.forms import AddressForm, NameForm
from lakou.identity.models import Person
from lakou.identity.views.doors import asked_again, for_people, me, said, say
from lakou.kernel.errors import LakouError


@for_people
@require_http_methods(["GET", "HEAD", "POST"])
def name(request: HttpRequest) -> HttpResponse:
    """`/compte/nom/`."""
    person = me(request)
    form = NameForm(request.POST if request.method == "POST" else None, initial={"name": person.name})
    if request.method == "POST" and form.is_valid():
        people.change_name(person=person, name=form.cleaned_data["name"], by=person)
        messages.success(request, "C’est enregistré.")
        return redirect("account_overview")
    return render(request, "identity/name.html", {"form": form}, status=400 if form.errors else 200)


@for_people
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def address(request: HttpRequest) -> HttpResponse:
    """`/compte/adresse/`: ask for another address, have its link sent again, or stay with the old one."""
    person = me(request)
    which = request.POST.get("which", "")
    form = AddressForm(request.POST if request.method == "POST" and not which else None)
    asked = queries.asked_addresses(person).first()
    if request.method == "POST" and not settings.LAKOU_HAS_MAIL:
        return render(request, "identity/address.html", {"form": form}, status=409)
    if which == "none":
        people.drop_asked_address(person=person)
        messages.success(request, "Votre adresse reste la même.")
        return redirect("account_email")
    if which == "again" and asked is not None:
        return _link_sent(request, asked)
    if form.is_bound and form.is_valid():
        try:
            return _link_sent(request, people.ask_for_address(person=person, email=form.cleaned_data["address"]))
        except LakouError as error:
            say(form, error)
    context = {"form": form, "asked": asked}
    return render(request, "identity/address.html", context, status=400 if form.errors else 200)


def _link_sent(request: HttpRequest, asked: EmailAddress) -> HttpResponse:
    """Send the link to an address, once in three minutes at most: it may be somebody else's."""
    if not consume_email_verification_rate_limit(request, asked.email):
        messages.warning(request, "Un lien vient de partir. Attendez trois minutes avant d’en demander un autre.")
        return redirect("account_email")
    delivery = mail.send_address_link(email=asked.email, key=EmailConfirmationHMAC.create(asked).key)
    if delivery is not mail.Delivery.SENT:
        ratelimit.clear(request, action="confirm_email", key=asked.email)
        return not_sent(request, delivery)
    messages.success(request, f"Un lien est parti à {asked.email}. Votre adresse change quand vous l’aurez ouvert.")
    return redirect("account_email")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, key: str) -> HttpResponseBase:
    """`/compte/inscription/confirmer/<key>/`: the link in a mail. allauth confirms the address of who signed up."""
    found = EmailConfirmationHMAC.from_key(key)
    if found is None or found.email_address.email == found.email_address.user.email:
        answer: HttpResponseBase = confirm_email(request, key=key)
        return answer
    if not request.user.is_authenticated:
        return redirect(f"{reverse('account_login')}?{urlencode({'next': request.path})}")
    if request.user.pk != found.email_address.user_id:
        return render(request, "identity/address_other.html", status=403)
    return _confirm_change(request, me(request), found.email_address.email)


def _confirm_change(request: HttpRequest, person: Person, email: str) -> HttpResponse:
    if request.method != "POST":
        return render(request, "identity/address_confirm.html", {"person": person, "email": email})
    try:
        people.must_be_free(person=person, email=email)
        delivery = mail.tell_old_address(old=person.email, new=email)
        if delivery is mail.Delivery.AWAY:
            return not_sent(request, delivery)
        people.change_address(person=person, email=email, by=person)
    except LakouError as error:
        messages.error(request, said(error)[1])
        return redirect("account_email")
    messages.success(request, f"Votre adresse est maintenant {email}. L’ancienne en est prévenue.")
    return redirect("account_overview")
