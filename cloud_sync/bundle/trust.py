"""Whose signature an import accepts."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, select

from cloud_sync.bundle.contents import Header
from cloud_sync.bundle.errors import BundleError
from cloud_sync.ingest.schema import device, stream


@dataclass(frozen=True, slots=True)
class Trust:
    """What the person who imports says of keys.

    ``key``: the box's public key, from another source. ``first_use``: a box without a known key is believed the key in
    its bundle; from then on it is known.
    """

    key: str | None = None
    first_use: bool = False

    def expected(self, header: Header, known: str | None) -> str:
        """Return the public key that must have signed this bundle.

        Args:
            header: Not believed yet.
            known: The key that the box told at its last contact, if it has.

        Raises:
            BundleError: No key is known, or it is not the one in the bundle.
        """
        box = f"{header.site}/{header.device}"
        key = self.key or known or (header.key if self.first_use else None)
        if key is None:
            raise BundleError(
                f"is signed by {box}, whose key is not known here; give --key, or --trust-first-use to believe it"
            )
        if key != header.key:
            raise BundleError(f"is signed with the key {header.key[:16]}..., but {box} has the key {key[:16]}...")
        return key


def known_key(connection: Connection, header: Header) -> str | None:
    """Return the key that this box told in its last birth message, if it is known."""
    query = select(device.c.birth).where(device.c.site == header.site, device.c.device == header.device)
    birth = connection.execute(query).scalar()
    key: str | None = json.loads(birth).get("key") if birth else None
    return key


def check_owner(connection: Connection, header: Header) -> None:
    """Refuse the stream of another box: acknowledged under a wrong name, the right box would lose its rows.

    Raises:
        BundleError: It belongs to another box.
    """
    row = connection.execute(select(stream.c.site, stream.c.device).where(stream.c.id == header.stream)).first()
    if row is not None and (row.site, row.device) != (header.site, header.device):
        raise BundleError(
            f"is of {header.site}/{header.device}, but its stream {header.stream} belongs to {row.site}/{row.device}"
        )
