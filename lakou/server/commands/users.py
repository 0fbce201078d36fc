"""`lakou user`: the first administrator, and what must be possible when no page can be reached."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lakou.kernel.errors import BadRequest, NotFound
from lakou.server.commands import civic, options
from lakou.server.config import Config

if TYPE_CHECKING:
    from lakou.identity.models import Organisation, Person

app = typer.Typer(no_args_is_help=True, help="People, their roles, and their printed break-glass codes.")
err = Console(stderr=True, highlight=False)

Email = Annotated[str, typer.Argument(help="E-mail address of the person")]
Who = Annotated[str, typer.Argument(help="E-mail address, or person:<number> as in the journal")]
RoleName = Annotated[
    str,
    typer.Option(
        "--role",
        help="citizen, observer, device_owner, data_steward, duty_officer, approver or administrator",
    ),
]
OrganisationName = Annotated[
    str | None, typer.Option("--organisation", help="Name of the organisation [default: the one that runs the site]")
]
Territory = Annotated[
    str, typer.Option("--territory", help="Key of a territory; without it, all of the organisation's")
]


@app.command()
def create(
    email: Email,
    role: RoleName,
    organisation: Annotated[
        str, typer.Option("--organisation", help="Name of the organisation; made when there is none of this name")
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="Kind of a new organisation: commune, epci, ctm, state_service, association or company",
        ),
    ] = "commune",
    name: Annotated[str, typer.Option("--name", help="Name of the person")] = "",
    territory: Territory = "",
    link: Annotated[
        bool, typer.Option("--link", help="Print a one-time link for the password instead of asking for one")
    ] = False,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Make a person with a role. Asks for a password, or prints a link to set one, alone on the last line.

    Without a terminal the password is the first line of standard input. The first organisation runs the site.
    """
    settings = civic.opened(config, data, database_url)
    from django.db import transaction

    from lakou.identity import queries
    from lakou.identity.actions import invitations, people

    if queries.person_by_email(email) is not None:
        raise BadRequest("There is a person with this address already", place="EMAIL", hint="lakou user grant EMAIL")
    password = None if link else _asked_password()
    with transaction.atomic():
        where = _organisation(organisation, kind)
        person = people.create_person(email=email, name=name, password=password)
        people.grant_role(person=person, organisation=where, role=role, territory=territory)
        made = invitations.make_password_link(person=person) if link else None
    err.print(f"{person.email} is {role} in {where.name}.", markup=False)
    if made is not None:
        _print_link(settings, made.secret)


@app.command()
def link(
    email: Email,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Print a one-time link by which a person sets a new password, alone on the last line."""
    settings = civic.opened(config, data, database_url)
    from lakou.identity.actions import invitations, people

    made = invitations.make_password_link(person=people.named_person(email))
    _print_link(settings, made.secret)


@app.command("list")
def list_(
    data: options.Data = None, database_url: options.DatabaseUrl = None, config: options.ConfigFile = None
) -> None:
    """List all people with the roles they hold."""
    civic.opened(config, data, database_url)
    from lakou.identity import queries, second_factor

    table = Table("person", "name", "roles", "second factor", "codes left", "last login", box=None)
    for person in queries.people():
        roles = [
            f"{grant.role} in {grant.organisation.name}" + (f" ({grant.territory})" if grant.territory else "")
            for grant in queries.active_grants(person)
        ]
        seen = f"{person.last_login:%Y-%m-%d %H:%M}" if person.last_login else "never"
        factor = "yes" if second_factor.has_one(person) else "MISSING" if second_factor.is_needed(person) else "no"
        state = person.email if person.is_active else f"{person.email} (closed)"
        table.add_row(
            state, person.name, ", ".join(roles) or "none", factor, str(queries.codes_left(person).count()), seen
        )
    Console().print(table, markup=False)


def _on_a_role(name: str, meaning: str, act: Callable[[Person, Organisation, str, str], str]) -> None:
    """Add a command on a role of a person; `act` does it and gives the words that say so."""

    def command(
        email: Email,
        role: RoleName,
        organisation: OrganisationName = None,
        territory: Territory = "",
        data: options.Data = None,
        database_url: options.DatabaseUrl = None,
        config: options.ConfigFile = None,
    ) -> None:
        civic.opened(config, data, database_url)
        from lakou.identity.actions import people

        where = civic.named_organisation(organisation)
        done = act(people.named_person(email), where, role, territory)
        err.print(f"{email} {done} {role} in {where.name}.", markup=False)

    app.command(name, help=meaning)(command)


def _grant(person: Person, organisation: Organisation, role: str, territory: str) -> str:
    from lakou.identity.actions import people

    people.grant_role(person=person, organisation=organisation, role=role, territory=territory)
    return "is"


def _revoke(person: Person, organisation: Organisation, role: str, territory: str) -> str:
    from lakou.identity import queries
    from lakou.identity.actions import people

    held = queries.active_grants(person).filter(organisation=organisation, role=role, territory=territory).first()
    if held is None:
        raise NotFound(
            f"{person.email} is not {role} in {organisation.name}", place="--role", hint="see: lakou user list"
        )
    people.end_role(grant=held)
    return "is no longer"


_on_a_role("grant", "Give a person a role; it holds at once.", _grant)
_on_a_role("revoke", "End a role of a person; it ends at once.", _revoke)


@app.command()
def close(
    email: Email,
    reopen: Annotated[bool, typer.Option("--reopen", help="Open a closed account again")] = False,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Close the account of a person who has left; their sessions end at once."""
    civic.opened(config, data, database_url)
    from lakou.identity.actions import people

    person = people.named_person(email)
    if reopen:
        people.reopen_account(person=person)
    else:
        people.close_account(person=person)
    err.print(f"The account of {email} is {'open' if reopen else 'closed'}.", markup=False)


@app.command()
def change(
    who: Who,
    name: Annotated[str | None, typer.Option("--name", help="The name they have from now on")] = None,
    new_email: Annotated[
        str | None, typer.Option("--email", help="The address they have from now on; make sure that it is theirs")
    ] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Change the name or the e-mail address of a person. Where the site sends mail, the old address is told."""
    settings = civic.opened(config, data, database_url)
    from lakou.identity import mail
    from lakou.identity.actions import people

    person = _found_person(who)
    if name is not None:
        people.change_name(person=person, name=name)
    old = person.email
    if new_email is not None:
        people.change_address(person=person, email=new_email)
        if settings.smtp_url and mail.tell_old_address(old=old, new=person.email) is not mail.Delivery.SENT:
            err.print(f"{old} could not be told.", markup=False)
    err.print(f"person:{person.pk} is {person.name or 'without a name'}, {person.email}.", markup=False)


@app.command("reset-second-factor")
def reset_second_factor(
    email: Email,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Take away the second factors of a person who has lost them, and end their sessions."""
    civic.opened(config, data, database_url)
    from lakou.identity.actions import people

    removed = people.reset_second_factor(person=people.named_person(email))
    err.print(f"{removed} removed. Who needs a second factor sets up a new one at the next log-in.")


@app.command("break-glass")
def break_glass(
    email: Email,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Print ten new one-time codes for the page /secours/; older ones stop. They are shown this once."""
    civic.opened(config, data, database_url)
    from lakou.identity.actions import break_glass as sheets
    from lakou.identity.actions import people

    codes = sheets.print_sheet(person=people.named_person(email))
    err.print(f"Codes of {email}. They are not stored: print them and lock them away.", markup=False)
    for number, code in enumerate(codes, start=1):
        print(f"{number:2}. {code}")


@app.command()
def export(
    who: Who,
    output: Annotated[Path | None, typer.Option("--output", help="File to write [default: standard output]")] = None,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Write all that is held about a person as JSON, to be handed to them. No secret is in it."""
    civic.opened(config, data, database_url)
    from lakou.identity import personal_data
    from lakou.identity.actions import personal_data as actions

    person = _found_person(who)
    text = personal_data.as_json(actions.export_person(person=person))
    if output is None:
        print(text, end="")
        return
    # It is for this person's eyes: readable to nobody else from its first byte on.
    with open(output, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(text)
    err.print(f"Written to {output}.", markup=False)


@app.command()
def erase(
    who: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first")] = False,
    data: options.Data = None,
    database_url: options.DatabaseUrl = None,
    config: options.ConfigFile = None,
) -> None:
    """Erase a person, or the invitations to an address, for good; again does nothing. The journal keeps the number.

    Tokens that the person made keep working: they belong to their organisation.
    """
    civic.opened(config, data, database_url)
    from lakou.identity.actions import personal_data as actions

    if not (yes or (sys.stdin.isatty() and typer.confirm(f"Erase {who} for good?", err=True))):
        raise BadRequest("Nothing was erased", place="--yes", hint="say --yes, or answer at a terminal")
    person = _person(who)
    if person is not None:
        number = person.pk
        actions.erase_person(person=person)
        err.print(f"person:{number} is erased.", markup=False)
    elif "@" in who and (invitations := actions.erase_address(email=who)):
        err.print(f"{invitations} invitations to {who} are erased.", markup=False)
    else:
        err.print(f"Nothing is held about {who}.", markup=False)


def _person(who: str) -> Person | None:
    """The person of an address or of `person:<number>`, as the journal names them."""
    from lakou.identity import queries

    kind, _, number = who.partition(":")
    if kind == "person" and number.isascii() and number.isdigit():
        return queries.people().filter(pk=int(number[:18])).first()
    return queries.person_by_email(who)


def _found_person(who: str) -> Person:
    found = _person(who)
    if found is None:
        raise NotFound("There is no such person", place="WHO", hint="see: lakou user list")
    return found


def _organisation(name: str, kind: str) -> Organisation:
    from lakou.identity import queries
    from lakou.identity.actions import organisations

    found = queries.organisation_named(name)
    return found or organisations.create_organisation(name=name, kind=kind)


def _asked_password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    given = sys.stdin.readline().rstrip("\n")
    if not given:
        raise BadRequest("No password was given", place="standard input", hint="give one line, or use --link")
    return given


def _print_link(settings: Config, secret: str) -> None:
    from django.urls import reverse

    base = (settings.base_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    err.print("The link works once, for seven days:")
    print(base + reverse("identity:invitation_link", args=[secret]))
