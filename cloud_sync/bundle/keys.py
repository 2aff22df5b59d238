"""Ed25519 keys: a box's, which signs its bundles, and a cloud's, which signs what boxes may forget.

A private key is a PEM file (PKCS 8, mode 0600), as OpenSSL makes them; a public one is 64 hexadecimal digits.
"""

import os
import re
from pathlib import Path
from secrets import token_hex

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from cloud_sync.bundle.errors import BundleError
from cloud_sync.bundle.files import sync_folder

BOX_KEY = "bundle.key"
"""File name in a box's data directory."""

KEY_MOST_BYTES = 4096


def mint_key(path: Path) -> Ed25519PrivateKey:
    """Return the key in a file, made on the first call. It has its name only when it is whole, and is never replaced.

    Raises:
        BundleError: The file cannot be written or read, or holds no key.
    """
    if not path.exists():
        _make(path)
    return load_key(path)


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}.new")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(unfinished, path)  # unlike a rename it never replaces a key
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise BundleError(f"cannot make key file {path}: {error.strerror}") from error


def load_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key in a file.

    Raises:
        BundleError: It is absent, cannot be read, or is none.
    """
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BundleError(f"key file {path} holds no Ed25519 private key (PEM without a password)") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"key file {path} holds a key of another kind; allowed: Ed25519")
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """Return the public half, as 64 hexadecimal digits."""
    return key.public_key().public_bytes_raw().hex()


def read_public(given: str) -> str:
    """Return a public key that a person gave: its digits, or a file that holds them or a PEM public key.

    Raises:
        BundleError: It is neither.
    """
    if _is_hex(given):
        return given.lower()
    content = _read(Path(given))
    text = content.decode("ascii", errors="replace").strip()
    if _is_hex(text):
        return text.lower()
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"{given}: no public key; allowed: 64 hexadecimal digits, or a file with them or a PEM key")
    return key.public_bytes_raw().hex()


def _is_hex(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{64}", text) is not None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(KEY_MOST_BYTES)
    except OSError as error:
        raise BundleError(f"cannot read key file {path}: {error.strerror}") from error
