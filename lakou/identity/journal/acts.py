"""The acts that the journal knows: one table, from which the page, ECS and syslog take their words and levels.

Categories and types are those of the Elastic Common Schema 8.11 (event.category, event.type); severities are those of
RFC 5424 §6.2.1 for a success. A failure is at least a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTICE = 5
INFORMATION = 6
WARNING = 4
CRITICAL = 2


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
        Act("login.refused", "authentication", "denied", WARNING, "Connexion refusée"),
        Act("login.locked_out", "authentication", "denied", WARNING, "Connexion bloquée après des échecs"),
        Act("logout", "authentication", "end", INFORMATION, "Déconnexion"),
        Act("session.ended", "session", "end", NOTICE, "Fermeture d’une session"),
        Act("second_factor.added", "iam", "change", NOTICE, "Ajout d’un second facteur"),
        Act("second_factor.removed", "iam", "change", WARNING, "Retrait d’un second facteur"),
        Act("second_factor.refused", "authentication", "denied", WARNING, "Second facteur refusé"),
        Act("second_factor.reset", "iam", "admin", WARNING, "Remise à zéro d’un second facteur"),
        Act("second_factor.renewed", "iam", "change", NOTICE, "Nouveaux codes de secours"),
        Act("password.changed", "iam", "change", NOTICE, "Changement de mot de passe"),
        Act("password.link_made", "iam", "admin", NOTICE, "Lien pour un nouveau mot de passe"),
        Act("break_glass.printed", "iam", "creation", NOTICE, "Impression d’une fiche de secours"),
        Act("break_glass.used", "authentication", "start", CRITICAL, "Connexion avec une fiche de secours"),
        Act("break_glass.refused", "authentication", "denied", WARNING, "Fiche de secours refusée"),
        Act("person.created", "iam", "creation", NOTICE, "Création d’un compte"),
        Act("person.signed_up", "iam", "creation", NOTICE, "Inscription"),
        Act("person.invited", "iam", "creation", NOTICE, "Invitation"),
        Act("person.invitation_withdrawn", "iam", "change", NOTICE, "Retrait d’une invitation"),
        Act("person.changed", "iam", "change", NOTICE, "Modification d’un compte"),
        Act("person.closed", "iam", "deletion", NOTICE, "Fermeture d’un compte"),
        Act("person.reopened", "iam", "change", NOTICE, "Réouverture d’un compte"),
        Act("person.erased", "iam", "deletion", NOTICE, "Effacement de données personnelles"),
        Act("person.exported", "iam", "access", NOTICE, "Export de données personnelles"),
        Act("invitation.used", "iam", "creation", NOTICE, "Acceptation d’une invitation"),
        Act("organisation.created", "iam", "creation", NOTICE, "Création d’une organisation"),
        Act("organisation.changed", "iam", "change", NOTICE, "Modification d’une organisation"),
        Act("organisation.made_host", "iam", "admin", WARNING, "Transmission de la tenue du site"),
        Act("role.granted", "iam", "admin", NOTICE, "Attribution d’un rôle"),
        Act("role.ended", "iam", "admin", NOTICE, "Fin d’un rôle"),
        Act("token.created", "iam", "creation", NOTICE, "Création d’un jeton"),
        Act("token.rotated", "iam", "change", NOTICE, "Nouveau secret d’un jeton"),
        Act("token.scoped", "iam", "change", NOTICE, "Changement de la portée d’un jeton"),
        Act("token.revoked", "iam", "deletion", NOTICE, "Révocation d’un jeton"),
        Act("device.claimed", "iam", "change", NOTICE, "Rattachement d’un appareil"),
        Act("visibility.changed", "configuration", "change", NOTICE, "Changement de visibilité"),
        Act("retention.changed", "configuration", "change", NOTICE, "Changement d’une durée de conservation"),
        Act("retention.applied", "database", "deletion", NOTICE, "Effacement après la durée de conservation"),
        Act("data.deleted", "database", "deletion", NOTICE, "Suppression de données"),
        Act("access.refused", "iam", "denied", WARNING, "Accès refusé"),
        Act("data.exported", "database", "access", NOTICE, "Export de données"),
        Act("places.imported", "database", "change", NOTICE, "Import de lieux"),
        Act("places.removed", "database", "deletion", NOTICE, "Suppression de lieux"),
        Act("layer.imported", "database", "change", NOTICE, "Import d’une couche"),
        Act("layer.removed", "database", "deletion", NOTICE, "Suppression d’une couche"),
        Act("journal.exported", "file", "access", NOTICE, "Export du journal"),
        Act("backup.made", "file", "creation", NOTICE, "Sauvegarde"),
        Act("backup.restored", "database", "change", WARNING, "Restauration d’une sauvegarde"),
        Act("settings.changed", "configuration", "change", NOTICE, "Changement de réglage"),
        Act("rule.changed", "configuration", "change", NOTICE, "Changement d’une règle d’alerte"),
        Act("alert.drafted", "configuration", "creation", NOTICE, "Préparation d’une alerte"),
        Act("alert.approved", "configuration", "allowed", NOTICE, "Validation d’une alerte"),
        Act("alert.refused", "configuration", "denied", NOTICE, "Refus d’une alerte"),
        Act("alert.sent", "configuration", "change", CRITICAL, "Envoi d’une alerte"),
        Act("alert.cancelled", "configuration", "change", NOTICE, "Annulation d’une alerte"),
        Act("crisis.opened", "configuration", "creation", NOTICE, "Ouverture d’un événement de crise"),
        Act("crisis.closed", "configuration", "change", NOTICE, "Clôture d’un événement de crise"),
    )
}


def severity(name: str, outcome: str) -> int:
    """The level of a row: that of its act, at least a warning for a failure; a notice for an act of another version."""
    known = ACTS.get(name)
    found = NOTICE if known is None else known.severity
    return min(found, WARNING) if outcome == "failure" else found
