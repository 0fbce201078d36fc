"""One table decides: what it names, and nothing else; and the data plane decides the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.identity import policy
from lakou.identity.policy import ANONYMOUS, RULES, Action, Actor, ActorKind, Grant, Kind, Object, Role, When
from lakou.identity.policy.actor import TOKEN_ROLES
from lakou.identity.policy.deciding import _HOLDS, principal_of
from lakou.identity.policy.rules import WHEN_WORDS
from lakou.kernel.errors import Forbidden, NotFound, Unauthorized
from lakou.sensorthings.access import ADMIN, Changes
from lakou.sensorthings.access import ANONYMOUS as NOBODY

PEOPLE = [role for role in Role if role not in TOKEN_ROLES and role is not Role.ANYONE]


def person(*roles: Role, organisation: int | None = 1, mfa: bool = True, **more: Any) -> Actor:
    held = frozenset(Grant(role, organisation) for role in roles)
    return Actor(kind=ActorKind.PERSON, id=5, name="Anne", grants=held, mfa=mfa, **more)


def token(role: Role, **more: Any) -> Actor:
    return Actor(kind=ActorKind.TOKEN, id=11, name="gauge", grants=frozenset({Grant(role)}), **more)


# ── the table ──


def test_every_condition_can_be_checked_and_is_explained() -> None:
    assert set(_HOLDS) == set(When) == set(WHEN_WORDS)


def test_nothing_is_allowed_that_the_table_does_not_name() -> None:
    everything = policy.system()
    for kind in Kind:
        for action in Action:
            named = any(action in rule.actions and rule.kind is kind for rule in RULES)
            if not named:
                assert not policy.may(everything, action, Object(kind)), (action, kind)


def test_an_unknown_action_is_a_fault_of_the_program() -> None:
    with pytest.raises(TypeError):
        policy.may(ANONYMOUS, "steal", Object(Kind.TOKEN))  # type: ignore[arg-type]


def test_nobody_changes_the_journal() -> None:
    assert not [rule for rule in RULES if rule.kind is Kind.JOURNAL and {*rule.actions} - {Action.READ, Action.EXPORT}]


def test_a_second_factor_is_asked_for_wherever_the_public_or_rights_are_concerned() -> None:
    for rule in RULES:
        people = [role for role in rule.roles if role in (Role.APPROVER, Role.ADMINISTRATOR, Role.DUTY_OFFICER)]
        if people and set(rule.actions) - {Action.READ}:
            assert When.MFA in rule.when, rule


def test_no_token_approves_or_sends_an_alert() -> None:
    for role in TOKEN_ROLES:
        for action in (Action.DRAFT, Action.APPROVE, Action.SEND, Action.CANCEL):
            assert not policy.may(token(role, reads=None), action, Object(Kind.ALERT))


# ── organisations and territories ──


@pytest.mark.parametrize("role", PEOPLE)
def test_a_role_in_one_organisation_gives_nothing_in_another(role: Role) -> None:
    actor = person(role, organisation=1)
    public = {Kind.ENTITY, Kind.OBSERVATION, Kind.DATASET, Kind.ALERT}
    for kind in Kind:
        for action in Action:
            anyone = any(action in r.actions and r.kind is kind and Role.ANYONE in r.roles for r in RULES)
            if anyone:
                continue
            obj = Object(kind, organisation=2, owner=99, person=77, scope=7 if kind in public else 0)
            creates = kind is Kind.ENTITY and action in (Action.CREATE, Action.CLAIM)
            assert policy.may(actor, action, obj) is (creates and role in (Role.DEVICE_OWNER, Role.DATA_STEWARD)), (
                action,
                kind,
            )


def test_a_role_on_a_territory_holds_for_what_lies_in_it() -> None:
    actor = replace(person(), grants=frozenset({Grant(Role.APPROVER, None, "97213")}))
    here = Object(Kind.ALERT, territories=frozenset({"97213", "972"}))
    assert policy.may(actor, Action.SEND, here)
    assert not policy.may(actor, Action.SEND, replace(here, territories=frozenset({"972"})))
    assert not policy.may(actor, Action.SEND, Object(Kind.ALERT))


def test_without_the_second_factor_an_approver_approves_nothing() -> None:
    alert = Object(Kind.ALERT, organisation=1)
    assert policy.may(person(Role.APPROVER), Action.APPROVE, alert)
    assert not policy.may(person(Role.APPROVER, mfa=False), Action.APPROVE, alert)


def test_people_see_and_take_out_their_own_data_only() -> None:
    anne = person()
    assert policy.may(anne, Action.EXPORT, Object(Kind.PERSON, person=5))
    assert not policy.may(anne, Action.READ, Object(Kind.PERSON, person=6))
    assert not policy.may(replace(anne, kind=ActorKind.TOKEN), Action.READ, Object(Kind.PERSON, person=5))


def test_only_who_holds_for_all_gives_what_reaches_all() -> None:
    host, local = person(Role.ADMINISTRATOR, organisation=None), person(Role.ADMINISTRATOR)
    for role in (Role.AGENT, Role.ADMIN):
        token_of_one = Object(Kind.TOKEN, organisation=1, owner=99, role=role)
        for action in (Action.CREATE, Action.ROTATE, Action.REVOKE, Action.GRANT):
            assert policy.may(host, action, token_of_one)
            assert not policy.may(local, action, token_of_one)
    device = Object(Kind.TOKEN, organisation=1, owner=99, role=Role.DEVICE)
    assert policy.may(local, Action.ROTATE, device)
    assert not policy.may(local, Action.GRANT, device)


# ── refusals ──


def test_refusals_say_as_little_as_they_can() -> None:
    theirs = Object(Kind.TOKEN, organisation=2, owner=99, label="token x")
    with pytest.raises(Unauthorized):
        policy.require(ANONYMOUS, Action.ROTATE, theirs)
    with pytest.raises(NotFound):
        policy.require(person(Role.DATA_STEWARD), Action.ROTATE, theirs)
    with pytest.raises(Forbidden):
        policy.require(person(Role.CITIZEN), Action.CREATE, Object(Kind.TOKEN))
    policy.require(person(Role.DATA_STEWARD), Action.ROTATE, replace(theirs, organisation=1))


# ── the data plane decides the same ──

_scopes = st.sampled_from([-1, 0, 1, 101, 102])
_reads = st.one_of(st.none(), st.frozensets(st.sampled_from([1, 101, 102])).map(lambda s: s | {0}))
_ids = st.sampled_from([1, 2, 3])
_owners = st.sampled_from([11, 12, -1, policy.owner_of_person(5), policy.owner_of_person(6)])


@st.composite
def actors(draw: st.DrawFn) -> Actor:
    kind = draw(st.sampled_from(list(ActorKind)))
    if kind is ActorKind.ANONYMOUS:
        return ANONYMOUS
    if kind is ActorKind.SYSTEM:
        return policy.system()
    reads = draw(_reads)
    owners = draw(st.frozensets(_owners, max_size=2))
    if kind is ActorKind.PERSON:
        return person(*draw(st.lists(st.sampled_from(PEOPLE), max_size=3)), reads=reads, owners=owners)
    scoped = {"things": draw(st.frozensets(_ids, max_size=2)), "datastreams": draw(st.frozensets(_ids, max_size=2))}
    return token(draw(st.sampled_from(sorted(TOKEN_ROLES))), reads=reads, **scoped)


@settings(max_examples=400, deadline=None)
@given(actors(), _scopes, _owners, _ids, _ids)
def test_the_data_plane_decides_as_the_table_does(
    actor: Actor, scope: int, owner: int, thing: int, stream: int
) -> None:
    one = principal_of(actor)
    entity = Object(Kind.ENTITY, scope=scope, owner=owner)
    seen, changed = one.may_see(scope), one.may_see(scope) and one.may_change(owner)
    assert policy.may(actor, Action.READ, entity) is seen
    assert policy.may(actor, Action.CHANGE, entity) is changed
    assert policy.may(actor, Action.DELETE, entity) is changed
    assert policy.may(actor, Action.CREATE, entity) is one.may_create
    reading = Object(Kind.OBSERVATION, scope=scope, owner=owner, thing=thing, datastream=stream)
    given_ = scope >= 0 and one.is_given(stream, thing)  # a deleted Datastream is not there for the writer
    assert policy.may(actor, Action.OBSERVE, reading) is (given_ or changed)
    assert policy.may(actor, Action.CHANGE, reading) is changed
    assert policy.may(actor, Action.READ, reading) is seen


def test_the_known_ones_are_what_they_were() -> None:
    assert principal_of(ANONYMOUS) is NOBODY
    assert principal_of(policy.system()) is ADMIN
    assert principal_of(token(Role.DEVICE)).changes is Changes.OWN
    assert principal_of(token(Role.DEVICE, things=frozenset({1}))).changes is Changes.GIVEN
    assert principal_of(person(Role.CITIZEN)).changes is Changes.NOTHING
    assert principal_of(person(Role.DATA_STEWARD)).id < -1_000
