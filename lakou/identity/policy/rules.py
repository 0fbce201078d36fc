"""The one table of rights: who may do what to which kind of object, and under which conditions.

Whatever has no rule is refused. `deciding.may` walks the table; the data plane gets what it says as a `Principal`;
docs/reference/rights.md is written from it. A rule of a role holds for every grant of that role.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lakou.identity.policy.actor import Role


class Action(StrEnum):
    """What is done."""

    READ = "read"
    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    OBSERVE = "observe"
    LISTEN = "listen"
    DELIVER = "deliver"
    CLAIM = "claim"
    ROTATE = "rotate"
    REVOKE = "revoke"
    GRANT = "grant"
    WITHDRAW = "withdraw"
    EXPORT = "export"
    DRAFT = "draft"
    APPROVE = "approve"
    SEND = "send"
    CANCEL = "cancel"


class Kind(StrEnum):
    """What it is done to. `entity` is any row of SensorThings but an Observation."""

    ENTITY = "entity"
    OBSERVATION = "observation"
    STREAM = "stream"
    SERVICE = "service"
    PAGE = "page"
    DESK = "desk"
    METRICS = "metrics"
    WEBHOOK = "webhook"
    TOKEN = "token"  # noqa: S105
    PERSON = "person"
    ORGANISATION = "organisation"
    ROLE = "role"
    BREAK_GLASS = "break_glass"
    JOURNAL = "journal"
    DATASET = "dataset"
    RULE = "rule"
    ALERT = "alert"
    CRISIS = "crisis"


class When(StrEnum):
    """A condition on actor and object; all those of a rule must hold (`deciding._HOLDS`)."""

    VISIBLE = "visible"
    OWN = "own"
    GIVEN = "given"
    WITHIN = "within"
    EVERYWHERE = "everywhere"
    LESSER = "lesser"
    SELF = "self"
    WHOLE = "whole"
    MFA = "mfa"


WHEN_WORDS: dict[When, str] = {
    When.VISIBLE: "its scope is one that the actor reads",
    When.OWN: "made by the actor, or by a token that counts as the actor's own",
    When.GIVEN: "the token was given this Thing or Datastream",
    When.WITHIN: "in the organisation and on the territory of the role",
    When.EVERYWHERE: "the role holds in all organisations, on the whole territory",
    When.LESSER: "the token has the role device, which reaches nothing of others",
    When.SELF: "it is the actor, or belongs to the actor",
    When.WHOLE: "the token has not been narrowed to single Things or Datastreams",
    When.MFA: "with a second factor shown in this session",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: any of these roles, under all of these conditions."""

    actions: tuple[Action, ...]
    kind: Kind
    roles: tuple[Role, ...]
    when: tuple[When, ...] = ()


_WRITE = (Action.CREATE, Action.CHANGE, Action.DELETE)
_R, _A, _K, _W = Role, Action, Kind, When

RULES: tuple[Rule, ...] = (
    # ── observations and what they are about ──
    Rule((_A.READ,), _K.SERVICE, (_R.ANYONE,)),
    Rule((_A.READ, _A.EXPORT), _K.ENTITY, (_R.ANYONE,), (_W.VISIBLE,)),
    Rule((_A.READ, _A.EXPORT), _K.OBSERVATION, (_R.ANYONE,), (_W.VISIBLE,)),
    Rule((_A.LISTEN,), _K.STREAM, (_R.ANYONE,)),
    Rule((_A.CREATE,), _K.ENTITY, (_R.DEVICE, _R.AGENT, _R.ADMIN), (_W.WHOLE,)),
    Rule((_A.CREATE,), _K.ENTITY, (_R.DEVICE_OWNER, _R.DATA_STEWARD)),
    Rule((_A.CHANGE, _A.DELETE), _K.ENTITY, (_R.DEVICE,), (_W.VISIBLE, _W.OWN, _W.WHOLE)),
    Rule((_A.CHANGE, _A.DELETE), _K.ENTITY, (_R.DEVICE_OWNER, _R.DATA_STEWARD), (_W.VISIBLE, _W.OWN)),
    Rule((_A.CHANGE, _A.DELETE), _K.ENTITY, (_R.AGENT, _R.ADMIN), (_W.VISIBLE, _W.WHOLE)),
    Rule((_A.OBSERVE,), _K.OBSERVATION, (_R.DEVICE, _R.AGENT, _R.ADMIN), (_W.GIVEN,)),
    Rule((_A.OBSERVE, _A.CHANGE, _A.DELETE), _K.OBSERVATION, (_R.DEVICE,), (_W.VISIBLE, _W.OWN, _W.WHOLE)),
    Rule((_A.OBSERVE, _A.CHANGE, _A.DELETE), _K.OBSERVATION, (_R.DEVICE_OWNER, _R.DATA_STEWARD), (_W.VISIBLE, _W.OWN)),
    Rule((_A.OBSERVE, _A.CHANGE, _A.DELETE), _K.OBSERVATION, (_R.AGENT, _R.ADMIN), (_W.VISIBLE, _W.WHOLE)),
    Rule((_A.DELIVER,), _K.WEBHOOK, (_R.DEVICE, _R.AGENT, _R.ADMIN)),
    Rule((_A.CLAIM,), _K.ENTITY, (_R.DEVICE_OWNER, _R.DATA_STEWARD)),
    Rule((_A.CLAIM,), _K.ENTITY, (_R.AGENT, _R.ADMIN), (_W.WHOLE,)),
    # ── pages ──
    Rule((_A.READ,), _K.PAGE, (_R.ANYONE,)),
    Rule((_A.READ,), _K.DESK, (_R.ANYONE,)),
    # ── how the service is ──
    Rule((_A.READ,), _K.METRICS, (_R.AGENT, _R.ADMIN), (_W.WHOLE,)),
    Rule((_A.READ,), _K.METRICS, (_R.ADMINISTRATOR,), (_W.WITHIN, _W.MFA)),
    # ── tokens of devices and programs ──
    # An agent or an admin reaches things of every organisation, and so does a scope: who gives them must hold for all.
    Rule((_A.READ,), _K.TOKEN, (_R.DEVICE_OWNER,), (_W.OWN,)),
    Rule((_A.READ,), _K.TOKEN, (_R.DATA_STEWARD,), (_W.WITHIN,)),
    Rule((_A.READ,), _K.TOKEN, (_R.ADMINISTRATOR,), (_W.WITHIN, _W.MFA)),
    Rule((_A.CREATE,), _K.TOKEN, (_R.DEVICE_OWNER, _R.DATA_STEWARD), (_W.WITHIN, _W.LESSER)),
    Rule((_A.ROTATE, _A.REVOKE), _K.TOKEN, (_R.DEVICE_OWNER,), (_W.OWN, _W.LESSER)),
    Rule((_A.ROTATE, _A.REVOKE), _K.TOKEN, (_R.DATA_STEWARD,), (_W.WITHIN, _W.LESSER)),
    Rule((_A.CREATE, _A.ROTATE, _A.REVOKE), _K.TOKEN, (_R.ADMINISTRATOR,), (_W.WITHIN, _W.LESSER, _W.MFA)),
    Rule((_A.CREATE, _A.ROTATE, _A.REVOKE, _A.GRANT), _K.TOKEN, (_R.ADMINISTRATOR,), (_W.EVERYWHERE, _W.MFA)),
    Rule((_A.READ, _A.CREATE, _A.ROTATE, _A.REVOKE, _A.GRANT), _K.TOKEN, (_R.ADMIN,), (_W.WHOLE,)),
    # ── people, organisations, roles ──
    Rule((_A.READ, _A.CHANGE, _A.EXPORT, _A.DELETE), _K.PERSON, (_R.CITIZEN,), (_W.SELF,)),
    Rule((_A.READ, _A.EXPORT, *_WRITE), _K.PERSON, (_R.ADMINISTRATOR,), (_W.WITHIN, _W.MFA)),
    Rule((_A.READ,), _K.ORGANISATION, (_R.ANYONE,)),
    Rule((_A.CHANGE,), _K.ORGANISATION, (_R.ADMINISTRATOR,), (_W.WITHIN, _W.MFA)),
    # To grant an organisation is to make it the host.
    Rule((_A.CREATE, _A.GRANT), _K.ORGANISATION, (_R.ADMINISTRATOR,), (_W.EVERYWHERE, _W.MFA)),
    Rule((_A.READ, _A.GRANT, _A.WITHDRAW), _K.ROLE, (_R.ADMINISTRATOR,), (_W.WITHIN, _W.MFA)),
    Rule((_A.READ,), _K.ROLE, (_R.CITIZEN,), (_W.SELF,)),
    Rule((_A.READ, *_WRITE), _K.ORGANISATION, (_R.ADMIN,), (_W.WHOLE,)),
    Rule((_A.READ, _A.EXPORT, *_WRITE), _K.PERSON, (_R.ADMIN,), (_W.WHOLE,)),
    Rule((_A.READ, _A.GRANT, _A.WITHDRAW), _K.ROLE, (_R.ADMIN,), (_W.WHOLE,)),
    # A sheet of printed codes, for oneself alone: a code counts as a second factor, so a password alone gives none.
    Rule((_A.CREATE,), _K.BREAK_GLASS, (_R.DUTY_OFFICER, _R.APPROVER, _R.ADMINISTRATOR), (_W.SELF, _W.MFA)),
    # ── the journal: nobody changes it ──
    Rule((_A.READ, _A.EXPORT), _K.JOURNAL, (_R.ADMINISTRATOR,), (_W.WITHIN, _W.MFA)),
    Rule((_A.READ, _A.EXPORT), _K.JOURNAL, (_R.ADMIN,), (_W.WHOLE,)),
    # ── data sets ──
    Rule((_A.READ, _A.EXPORT), _K.DATASET, (_R.ANYONE,), (_W.VISIBLE,)),
    Rule(_WRITE, _K.DATASET, (_R.DATA_STEWARD,), (_W.WITHIN,)),
    # ── warning and acting: two people where it is told to the public ──
    Rule(
        (_A.READ,),
        _K.RULE,
        (_R.OBSERVER, _R.DATA_STEWARD, _R.DUTY_OFFICER, _R.APPROVER, _R.ADMINISTRATOR),
        (_W.WITHIN,),
    ),
    Rule(_WRITE, _K.RULE, (_R.DUTY_OFFICER, _R.ADMINISTRATOR), (_W.WITHIN, _W.MFA)),
    Rule((_A.READ,), _K.ALERT, (_R.ANYONE,), (_W.VISIBLE,)),
    Rule((_A.READ,), _K.ALERT, (_R.OBSERVER, _R.DUTY_OFFICER, _R.APPROVER, _R.ADMINISTRATOR), (_W.WITHIN,)),
    Rule((_A.DRAFT, _A.CHANGE, _A.CANCEL), _K.ALERT, (_R.DUTY_OFFICER, _R.APPROVER), (_W.WITHIN, _W.MFA)),
    Rule((_A.APPROVE, _A.SEND), _K.ALERT, (_R.APPROVER,), (_W.WITHIN, _W.MFA)),
    Rule((_A.READ,), _K.CRISIS, (_R.OBSERVER, _R.DUTY_OFFICER, _R.APPROVER, _R.ADMINISTRATOR), (_W.WITHIN,)),
    Rule(_WRITE, _K.CRISIS, (_R.DUTY_OFFICER, _R.APPROVER), (_W.WITHIN, _W.MFA)),
)

BY_SUBJECT: dict[tuple[Action, Kind], tuple[Rule, ...]] = {}
for _rule in RULES:
    for _action in _rule.actions:
        BY_SUBJECT[_action, _rule.kind] = (*BY_SUBJECT.get((_action, _rule.kind), ()), _rule)
