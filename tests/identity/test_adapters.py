"""Log-in as allauth does it here: lock-out, second factors with real codes, passwords by mail, asking again."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import override_settings

from lakou.identity import acts
from lakou.identity.actions import break_glass
from lakou.identity.adapters import SecondFactorAdapter
from lakou.identity.models import Person
from tests.identity.conftest import PASSWORD, Visitor, make_organisation, make_person, target, totp

pytestmark = pytest.mark.usefixtures("pages")


def test_the_address_is_read_in_any_case_and_the_session_key_changes(visitor: Visitor) -> None:
    make_person()
    answer = visitor.log_in(" ANNE@example.org ")
    assert target(answer) == "/compte/"
    cookie = answer.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], int(cookie["max-age"])) == (True, "Lax", 12 * 3600)


def test_a_wrong_password_and_an_unknown_address_are_refused_alike(visitor: Visitor) -> None:
    make_person()
    known = visitor.log_in("anne@example.org", "wrong").content.decode()
    unknown = visitor.log_in("nobody@example.org", "wrong").content.decode()
    assert "Cela n’a pas marché" in known
    strip = lambda page: page.replace("anne@", "").replace("nobody@", "")  # noqa: E731
    assert strip(known).split("csrfmiddlewaretoken")[0] == strip(unknown).split("csrfmiddlewaretoken")[0]


def test_after_five_wrong_passwords_the_right_one_is_refused_from_any_address(visitor: Visitor) -> None:
    make_person()
    for number in range(5):
        Visitor(REMOTE_ADDR=f"192.0.2.{number}").log_in("anne@example.org", "wrong")
    answer = Visitor(REMOTE_ADDR="192.0.2.99").log_in("anne@example.org")
    assert answer.status_code == 200
    assert "Trop" in answer.content.decode()
    assert not visitor.is_in()


def test_another_host_name_gives_no_further_tries(visitor: Visitor) -> None:
    make_person()
    for number in range(5):
        Visitor(REMOTE_ADDR=f"192.0.2.{number}", HTTP_HOST=f"h{number}.example").log_in("anne@example.org", "wrong")
    assert "Trop" in Visitor(HTTP_HOST="new.example").log_in("anne@example.org").content.decode()


@override_settings(ACCOUNT_RATE_LIMITS={})  # allauth's own: what a site has that sees its visitors' addresses
def test_an_address_that_tries_many_accounts_waits_too(visitor: Visitor) -> None:
    make_person()
    for number in range(10):
        visitor.log_in(f"guess{number}@example.org", "wrong")
    assert "Trop" in visitor.log_in("anne@example.org").content.decode()
    assert target(Visitor(REMOTE_ADDR="192.0.2.1").log_in("anne@example.org")) == "/compte/"


def test_where_all_come_from_one_proxy_one_stranger_keeps_nobody_out(visitor: Visitor) -> None:
    make_person()
    for number in range(12):
        visitor.log_in(f"guess{number}@example.org", "wrong")
    assert target(visitor.log_in("anne@example.org")) == "/compte/"


def test_a_lock_out_is_of_one_account(visitor: Visitor) -> None:
    make_person()
    make_person("b@example.org")
    for number in range(6):
        Visitor(REMOTE_ADDR=f"192.0.2.{number}").log_in("anne@example.org", "wrong")
    assert target(visitor.log_in("b@example.org")) == "/compte/"


def test_break_glass_opens_while_the_account_is_locked_out(visitor: Visitor) -> None:
    codes = break_glass.print_sheet(person=make_person())
    for _ in range(12):
        visitor.log_in("anne@example.org", "wrong")
    assert not visitor.is_in()
    visitor.post("/secours/", {"email": "anne@example.org", "password": PASSWORD, "code": codes[0]})
    assert visitor.is_in()


def test_the_second_factor_is_asked_after_the_password_and_a_code_works_once(visitor: Visitor) -> None:
    make_person(role="administrator")
    visitor.log_in("anne@example.org")
    secret = visitor.enrol()
    code = totp(secret)
    for expected in (True, False):
        other = Visitor()
        assert target(other.log_in("anne@example.org")) == "/compte/second-facteur/donner/"
        assert not other.is_in()
        other.post("/compte/second-facteur/donner/", {"code": code})
        assert other.is_in() == expected


def test_a_wrong_code_is_refused_and_wrong_ones_are_counted(
    visitor: Visitor, told: list[tuple[str, dict[str, Any]]]
) -> None:
    make_person(role="administrator")
    visitor.log_in("anne@example.org")
    secret = visitor.enrol()
    other = Visitor()
    other.log_in("anne@example.org")
    for _ in range(5):
        other.post("/compte/second-facteur/donner/", {"code": "000000"})
    answer = other.post("/compte/second-facteur/donner/", {"code": totp(secret)})
    assert "Trop" in answer.content.decode()
    assert not other.is_in()
    assert "second_factor.refused" in [act for act, _ in told]


def test_a_recovery_code_stands_in_for_the_factor_once(visitor: Visitor) -> None:
    make_person(role="administrator")
    visitor.log_in("anne@example.org")
    visitor.enrol()
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    assert all(code in visitor.get("/compte/second-facteur/codes/").content.decode() for code in codes)
    for expected in (True, False):
        other = Visitor()
        other.log_in("anne@example.org")
        other.post("/compte/second-facteur/donner/", {"code": codes[0]})
        assert other.is_in() == expected


def test_secrets_of_factors_are_stored_encrypted(visitor: Visitor) -> None:
    make_person()
    visitor.log_in("anne@example.org")
    secret = visitor.enrol()
    assert secret not in repr(list(Authenticator.objects.values_list("data", flat=True)))


def test_with_another_key_no_code_fits_and_nothing_breaks(visitor: Visitor) -> None:
    make_person()
    visitor.log_in("anne@example.org")
    secret = visitor.enrol()
    stored = Authenticator.objects.get(type="totp").data["secret"]
    adapter = SecondFactorAdapter()
    with override_settings(SECRET_KEY="another key"):
        assert adapter.decrypt(stored) not in (secret, adapter.decrypt(stored), "")
    with override_settings(SECRET_KEY="another key", SECRET_KEY_FALLBACKS=[_key()]):
        assert adapter.decrypt(stored) == secret


def _key() -> str:
    from django.conf import settings

    return str(settings.SECRET_KEY)


def test_a_sensitive_act_asks_for_the_factor_again_and_then_goes_on(administrator: Any, visitor: Visitor) -> None:
    secret = SecondFactorAdapter().decrypt(Authenticator.objects.get(type="totp").data["secret"])
    _forget_asking(visitor)
    answer = visitor.get("/administration/personnes/inviter/")
    assert target(answer) == "/compte/second-facteur/confirmer/"
    assert (
        target(visitor.get("/compte/confirmer/")) == "/compte/second-facteur/confirmer/"
    )  # the password is not enough
    answer = visitor.post(answer["Location"], {"code": totp(secret, 1)})
    assert target(answer) == "/administration/personnes/inviter/"
    assert visitor.get("/administration/personnes/inviter/").status_code == 200


def test_a_form_that_was_asked_about_is_carried_out_after_the_answer(administrator: Any, visitor: Visitor) -> None:
    other = make_person("b@example.org", "observer")
    secret = SecondFactorAdapter().decrypt(Authenticator.objects.get(type="totp").data["secret"])
    _forget_asking(visitor)
    answer = visitor.post(f"/administration/personnes/{other.pk}/second-facteur/")
    assert "Il n’y avait pas" not in visitor.get("/compte/").content.decode()
    visitor.post(answer["Location"], {"code": totp(secret, 1)})
    assert "Il n’y avait pas de second facteur" in visitor.get("/compte/").content.decode()


def _forget_asking(visitor: Visitor) -> None:
    """As five minutes later."""
    session = visitor.session
    session["account_authentication_methods"] = [
        {name: value for name, value in record.items() if name != "reauthenticated"}
        for record in session["account_authentication_methods"]
    ]
    session.save()


def test_a_changed_password_ends_every_other_session_at_once(visitor: Visitor) -> None:
    make_person()
    other = Visitor()
    for each in (visitor, other):
        each.log_in("anne@example.org")
    new = "une autre longue phrase"
    visitor.post("/compte/mot-de-passe/changer/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert visitor.get("/compte/").status_code == 200
    assert target(other.get("/compte/")) == "/compte/connexion/"


def test_without_mail_the_page_says_who_can_help(visitor: Visitor) -> None:
    make_person()
    assert "n’envoie pas de courrier" in visitor.get("/compte/mot-de-passe/oublie/").content.decode()


@override_settings(
    LAKOU_HAS_MAIL=True,
    LAKOU_BASE_URL="https://lakou.example.org",
    EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
)
def test_the_link_in_a_mail_leads_to_this_site_whatever_host_was_asked(visitor: Visitor) -> None:
    make_person()
    mail.outbox = []
    Visitor(HTTP_HOST="evil.example").post("/compte/mot-de-passe/oublie/", {"email": "anne@example.org"})
    (sent,) = mail.outbox
    assert "evil.example" not in str(sent.message())
    link = next(word for word in str(sent.body).split() if word.startswith("https://lakou.example.org/"))
    path = link.removeprefix("https://lakou.example.org")
    new = "une autre longue phrase"
    form = visitor.get(path, follow=True).redirect_chain[-1][0]
    assert target(visitor.post(form, {"password1": new, "password2": new})) == "/compte/mot-de-passe/nouveau/fait/"
    assert Person.objects.get().check_password(new)
    assert "ne fonctionne pas" in Visitor().get(path).content.decode()


@override_settings(LAKOU_HAS_MAIL=True, EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_PORT=9)
def test_while_the_mail_server_is_away_who_waits_is_told_so_with_an_account_or_without(visitor: Visitor) -> None:
    make_person()
    for email in ("anne@example.org", "nobody@example.org"):
        answer = visitor.post("/compte/mot-de-passe/oublie/", {"email": email})
        assert answer.status_code == 503
        assert "recommencez dans quelques minutes" in answer.content.decode()


def test_nobody_signs_up_unless_the_site_says_so(visitor: Visitor) -> None:
    given = {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}
    assert "pas ouverte" in visitor.post("/compte/inscription/", given).content.decode()
    assert not Person.objects.exists()


@override_settings(
    ACCOUNT_SIGNUP_ENABLED=True,
    ACCOUNT_EMAIL_VERIFICATION="mandatory",
    LAKOU_HAS_MAIL=True,
    LAKOU_BASE_URL="https://lakou.example.org",
    EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
)
def test_who_signs_up_confirms_the_address_and_is_an_inhabitant(visitor: Visitor) -> None:
    make_organisation()
    mail.outbox = []
    page = visitor.get("/compte/inscription/").content.decode()
    assert "Un lien y est envoyé" in page
    assert "Courriel" not in page
    given = {"email": "New@example.org", "password1": PASSWORD, "password2": PASSWORD}
    visitor.post("/compte/inscription/", given)
    assert not visitor.is_in()
    assert target(visitor.log_in("new@example.org")) == "/compte/inscription/confirmer/"
    link = next(word for word in str(mail.outbox[0].body).split() if word.startswith("https://"))
    visitor.post(link.removeprefix("https://lakou.example.org"))
    assert target(visitor.log_in("new@example.org")) == "/compte/"
    assert [grant.role for grant in Person.objects.get().grants.all()] == ["citizen"]


def test_log_in_and_out_are_noted_by_number(visitor: Visitor, told: list[tuple[str, dict[str, Any]]]) -> None:
    anne = make_person()
    visitor.log_in("anne@example.org", "wrong")
    visitor.log_in("anne@example.org")
    visitor.post("/compte/deconnexion/")
    assert [(act, more["actor"], more["subject"]) for act, more in told[1:]] == [
        ("login.refused", acts.ANONYMOUS, f"person:{anne.pk}"),
        ("login", f"person:{anne.pk}", f"person:{anne.pk}"),
        ("logout", f"person:{anne.pk}", f"person:{anne.pk}"),
    ]
    assert "example.org" not in repr(told)
