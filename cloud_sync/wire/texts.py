"""What no text on the wire may have in it, whoever sends it."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

from pydantic import BaseModel

from cloud_sync.wire.errors import WireError
from cloud_sync.wire.messages import RollupMessage


def check_texts(message: BaseModel) -> None:
    """Look through all texts of a message, or of a part of one.

    Raises:
        WireError: One has the character NUL in it, which PostgreSQL cannot hold.
    """
    if any("\0" in words for words in _texts(message)):
        raise WireError("a text has the character NUL in it, which no database of ours can hold")


def _texts(message: BaseModel) -> Iterable[str]:
    """Return the texts of a message; of a rollup's many rows each name once."""
    if isinstance(message, RollupMessage):
        columns = (message.columns.camera, message.columns.zone, message.columns.class_name, message.columns.place)
        beside = message.measures
        more = (beside.camera, beside.zone, beside.class_name, beside.name) if beside is not None else ()
        return set(chain(*columns, *more))
    return _texts_in(message.model_dump(exclude={"jpeg"}))


def _texts_in(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts_in([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts_in(one)
