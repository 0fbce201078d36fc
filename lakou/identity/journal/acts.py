"""The acts that the journal knows: one table, from which the page, ECS and syslog take their words and levels.

Categories and types are those of the Elastic Common Schema 8.11 (event.category, event.type); severities are those of
RFC 5424 §6.2.1 for a success. A failure is at least a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTICE = 5
INFORMATION = 6
WARNING = 4
ALERT_SENT = 2


@dataclass(frozen=True, slots=True)
class Act:
    """One kind of act. `words` is French, for the page; `severity` from 0 (emergency) to 7 (debugging)."""

    name: str
    category: str
    type: str
    severity: int
    words: str


ACTS: dict[str, Act] = {
    act.name: act
    for act in (
        Act("login", "authentication", "start", INFORMATION, "Connexion"),
        Act("logout", "authentication", "end", INFORMATION, "Déconnexion"),
        Act("login.lock", "authentication", "denied", WARNING, "Compte bloqué après des échecs"),
        Act("session.end", "session", "end", NOTICE, "Fermeture d’une session à distance"),
        Act("password.change", "iam", "change", NOTICE, "Changement de mot de passe"),
        Act("password.reset", "iam", "change", NOTICE, "Demande d’un nouveau mot de passe"),
        Act("email.change", "iam", "change", NOTICE, "Changement d’adresse électronique"),
        Act("mfa.add", "iam", "change", NOTICE, "Ajout d’un second facteur"),
        Act("mfa.remove", "iam", "change", WARNING, "Retrait d’un second facteur"),
        Act("person.create", "iam", "creation", NOTICE, "Création d’un compte"),
        Act("person.change", "iam", "change", NOTICE, "Modification d’un compte"),
        Act("person.close", "iam", "deletion", NOTICE, "Fermeture d’un compte"),
        Act("person.erase", "iam", "deletion", NOTICE, "Effacement de données personnelles"),
        Act("person.export", "iam", "access", NOTICE, "Export de données personnelles"),
        Act("organisation.create", "iam", "creation", NOTICE, "Création d’une organisation"),
        Act("organisation.change", "iam", "change", NOTICE, "Modification d’une organisation"),
        Act("invitation.send", "iam", "creation", NOTICE, "Envoi d’une invitation"),
        Act("role.grant", "iam", "admin", NOTICE, "Attribution d’un rôle"),
        Act("role.withdraw", "iam", "admin", NOTICE, "Retrait d’un rôle"),
        Act("token.create", "iam", "creation", NOTICE, "Création d’un jeton"),
        Act("token.rotate", "iam", "change", NOTICE, "Nouveau secret d’un jeton"),
        Act("token.revoke", "iam", "deletion", NOTICE, "Révocation d’un jeton"),
        Act("token.scope", "iam", "change", NOTICE, "Changement de la portée d’un jeton"),
        Act("device.claim", "iam", "change", NOTICE, "Rattachement d’un appareil"),
        Act("visibility.change", "configuration", "change", NOTICE, "Changement de visibilité"),
        Act("access.refuse", "iam", "denied", WARNING, "Accès refusé"),
        Act("data.export", "database", "access", NOTICE, "Export de données"),
        Act("journal.export", "file", "access", NOTICE, "Export du journal"),
        Act("backup.make", "file", "creation", NOTICE, "Sauvegarde"),
        Act("backup.restore", "database", "change", WARNING, "Restauration d’une sauvegarde"),
        Act("settings.change", "configuration", "change", NOTICE, "Changement de réglage"),
        Act("rule.change", "configuration", "change", NOTICE, "Changement d’une règle d’alerte"),
        Act("alert.draft", "configuration", "creation", NOTICE, "Préparation d’une alerte"),
        Act("alert.approve", "configuration", "allowed", NOTICE, "Validation d’une alerte"),
        Act("alert.refuse", "configuration", "denied", NOTICE, "Refus d’une alerte"),
        Act("alert.send", "configuration", "change", ALERT_SENT, "Envoi d’une alerte"),
        Act("alert.cancel", "configuration", "change", NOTICE, "Annulation d’une alerte"),
        Act("crisis.open", "configuration", "creation", NOTICE, "Ouverture d’un événement de crise"),
        Act("crisis.close", "configuration", "change", NOTICE, "Clôture d’un événement de crise"),
    )
}


def severity(name: str, outcome: str) -> int:
    """The level of a row: that of its act, at least a warning for a failure; a notice for an act of another version."""
    known = ACTS.get(name)
    found = NOTICE if known is None else known.severity
    return min(found, WARNING) if outcome == "failure" else found
