"""SOAP as cameras speak it: small documents, read with suspicion."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from urllib.parse import urlsplit

from agent.errors import RejectedError

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"


def envelope(body: str, *, header: str = "") -> bytes:
    """Return a SOAP 1.2 document."""
    text = f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def parse(document: bytes) -> ET.Element:
    """Read a document that anybody on the network may have sent, as UTF-8, whatever it says of itself.

    In another encoding a document type would not be seen here, and would be by the parser.

    Raises:
        RejectedError: It is no XML, or it defines entities, by which a small document can become an endless one.
    """
    text = document.decode(errors="replace").lstrip("\ufeff")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise RejectedError("its answer defines entities, as no camera's does")
    try:
        return ET.fromstring(text)  # noqa: S314  without a document type there is nothing to expand
    except (ET.ParseError, ValueError):
        raise RejectedError("its answer is no XML") from None


def each(element: ET.Element, name: str) -> Iterator[ET.Element]:
    """Yield the elements of a local name: cameras agree on names more than on namespaces' versions."""
    return (found for found in element.iter() if found.tag.rpartition("}")[2] == name)


def text_of(element: ET.Element, name: str) -> str:
    """Return the text of the first element of that name, fit to be printed; or nothing."""
    found = next(each(element, name), None)
    return "" if found is None or found.text is None else printable(found.text)


def host_of(address: str) -> str | None:
    """Return the host of an HTTP address that came from the network; None where it is no such address."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts.hostname if parts.scheme in {"http", "https"} and address.isprintable() else None


def printable(text: str) -> str:
    """Return text from the network in one line, without what would command a terminal."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
