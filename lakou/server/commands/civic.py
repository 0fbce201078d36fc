"""What commands on people and organisations begin with: the civic database, and who has called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lakou.kernel.errors import NotFound
from lakou.server import compose
from lakou.server.commands import options
from lakou.server.config import Config

if TYPE_CHECKING:
    from lakou.identity.models import Organisation


def opened(config: Path | None, data: Path | None, database_url: str | None) -> Config:
    """The settings of this command; the civic database is there from now on, and acts are those of the caller."""
    settings = options.read(config, data_dir=data, database_url=database_url)
    compose.migrate_civic(settings)
    from django.utils import translation

    from lakou.identity import acts

    acts.work_as(options.operator())
    translation.activate("en")  # rules of passwords are told in the language of the command line
    return settings


def named_organisation(name: str | None) -> Organisation:
    """The organisation of this name; without one, that which runs the site. Raises NotFound."""
    from lakou.identity import queries

    found = queries.host() if name is None else queries.organisation_named(name)
    if found is None:
        raise NotFound(
            f"There is no organisation named {name!r}" if name else "There is no organisation yet",
            place="--organisation",
            hint="lakou user create EMAIL --role administrator --organisation NAME",
        )
    return found
