"""The addresses of accounts. allauth's views keep allauth's names, by which they find one another.

Named one by one, not included as a whole: what this product does not offer has no address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account import views as account
from allauth.core.internal import ratelimit
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.urls import URLPattern, include, path, re_path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from lakou.identity.views import account as own
from lakou.identity.views import address, administration, entrance, organisations, personal_data


def _allauth(route: str, view: Callable[..., Any], name: str) -> URLPattern:
    """One of allauth's views under /compte/; no cache keeps what it shows, and PUT is no other word for POST."""
    return path(f"compte/{route}", _form(view), name=name)


def _form(view: Callable[..., Any]) -> Callable[..., Any]:
    return require_http_methods(["GET", "HEAD", "POST"])(never_cache(view))


_own = [
    path("compte/secours/", own.break_glass_sheet, name="break_glass_sheet"),
    path("compte/nom/", address.name, name="name"),
    path("compte/donnees/", personal_data.own_data, name="own_data"),
    path("compte/effacer/", personal_data.erase_own, name="erase_own"),
    path("secours/", entrance.break_glass, name="break_glass"),
    path("invitation/", entrance.invitation, name="invitation"),
    path("invitation/<str:secret>/", entrance.invitation_link, name="invitation_link"),
    path("administration/personnes/", administration.people_list, name="people"),
    path("administration/personnes/inviter/", administration.invite, name="invite"),
    path("administration/invitations/<int:number>/retirer/", administration.withdraw, name="withdraw_invitation"),
    path("administration/personnes/<int:number>/", administration.person_page, name="person"),
    path("administration/personnes/<int:number>/roles/", administration.grant, name="grant_role"),
    path(
        "administration/personnes/<int:number>/roles/<int:role_number>/terminer/",
        administration.end_role,
        name="end_role",
    ),
    path("administration/personnes/<int:number>/second-facteur/", administration.reset, name="reset_second_factor"),
    path("administration/personnes/<int:number>/fermer/", administration.close, name="close_account"),
    path("administration/personnes/<int:number>/mot-de-passe/", administration.password_link, name="password_link"),
    path("administration/personnes/<int:number>/donnees/", personal_data.data_of, name="data_of_person"),
    path("administration/personnes/<int:number>/effacer/", personal_data.erase, name="erase_person"),
    path("administration/organisations/", organisations.organisation_list, name="organisations"),
    path("administration/organisations/ajouter/", organisations.add, name="add_organisation"),
    path("administration/organisations/<int:number>/", organisations.change, name="organisation"),
    path("administration/organisations/<int:number>/hote/", organisations.hand_on, name="hand_on_host"),
]
urlpatterns = [
    path("", include((_own, "identity"))),
    path("compte/", own.overview, name="account_overview"),
    path("compte/sessions/", own.sessions, name="usersessions_list"),
    path("compte/adresse/", address.address, name="account_email"),
    _allauth("connexion/", account.login, "account_login"),
    _allauth("deconnexion/", account.logout, "account_logout"),
    _allauth("inactif/", account.account_inactive, "account_inactive"),
    _allauth("inscription/", account.signup, "account_signup"),
    _allauth("inscription/confirmer/", account.email_verification_sent, "account_email_verification_sent"),
    path("compte/inscription/confirmer/<str:key>/", address.confirm, name="account_confirm_email"),
    _allauth("confirmer/", account.reauthenticate, "account_reauthenticate"),
    _allauth("mot-de-passe/changer/", account.password_change, "account_change_password"),
    _allauth("mot-de-passe/definir/", account.password_set, "account_set_password"),
    _allauth("mot-de-passe/oublie/", account.password_reset, "account_reset_password"),
    _allauth("mot-de-passe/oublie/envoye/", account.password_reset_done, "account_reset_password_done"),
    re_path(  # the key holds a hyphen too
        r"^compte/mot-de-passe/nouveau/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[^/]+)/$",
        _form(account.password_reset_from_key),
        name="account_reset_password_from_key",
    ),
    _allauth(
        "mot-de-passe/nouveau/fait/", account.password_reset_from_key_done, "account_reset_password_from_key_done"
    ),
    _allauth("second-facteur/", mfa.index, "mfa_index"),
    _allauth("second-facteur/donner/", mfa.authenticate, "mfa_authenticate"),
    _allauth("second-facteur/confirmer/", mfa.reauthenticate, "mfa_reauthenticate"),
    _allauth("second-facteur/application/", totp.activate_totp, "mfa_activate_totp"),
    _allauth("second-facteur/application/retirer/", totp.deactivate_totp, "mfa_deactivate_totp"),
    _allauth("second-facteur/codes/", recovery.view_recovery_codes, "mfa_view_recovery_codes"),
    _allauth("second-facteur/codes/renouveler/", recovery.generate_recovery_codes, "mfa_generate_recovery_codes"),
    _allauth("second-facteur/codes/telecharger/", recovery.download_recovery_codes, "mfa_download_recovery_codes"),
    _allauth("second-facteur/cles/", webauthn.list_webauthn, "mfa_list_webauthn"),
    _allauth("second-facteur/cles/ajouter/", webauthn.add_webauthn, "mfa_add_webauthn"),
    _allauth("second-facteur/cles/confirmer/", webauthn.reauthenticate_webauthn, "mfa_reauthenticate_webauthn"),
    # To ask for a challenge makes a session: that is counted too, not only the answer.
    _allauth(
        "second-facteur/cles/connexion/",
        ratelimit.decorator(app="allauth.mfa", action="webauthn_login", limit_get=True)(webauthn.login_webauthn),
        "mfa_login_webauthn",
    ),
    _allauth("second-facteur/cles/<int:pk>/", webauthn.edit_webauthn, "mfa_edit_webauthn"),
    _allauth("second-facteur/cles/<int:pk>/retirer/", webauthn.remove_webauthn, "mfa_remove_webauthn"),
]
