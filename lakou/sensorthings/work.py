"""Work for the writer: what one request does in a commit, and how its outcome becomes an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lakou.sensorthings.model import EntityType
from lakou.sensorthings.request import Answer
from lakou.sensorthings.store.session import Session


class Written(msgspec.Struct):
    """The entity that a work created, changed or deleted.

    `more` asks to do the work again in another commit: a slice of a long deletion is done.
    """

    type: EntityType
    id: int
    created: bool
    more: bool = False


class Work(msgspec.Struct):
    """`run` happens inside a commit and gives Written, or the id of an Observation; `answer` is made after it.

    `entities` tells that more than Observations may change; `whole` that it needs a savepoint of its own.
    """

    run: Callable[[Session], Any]
    answer: Callable[[Any], Answer]
    entities: bool = True
    whole: bool = True
