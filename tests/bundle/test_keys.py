"""Keys in files."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloud_sync.bundle import BundleError, load_key, mint_key, public_hex, read_public


def test_minted_once_and_for_its_owner_alone(tmp_path: Path):
    """A key is made at the first call, is the same at each later one, and nobody else may read it."""
    path = tmp_path / "bundle.key"
    key = mint_key(path)
    assert public_hex(mint_key(path)) == public_hex(load_key(path)) == public_hex(key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.key"]


def test_minted_by_several_at_once(tmp_path: Path):
    """Whoever comes at the same time gets the same key."""
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: public_hex(mint_key(tmp_path / "bundle.key")), range(8)))
    assert len(set(keys)) == 1


def test_public_key_as_digits_or_in_a_file(tmp_path: Path, require):
    """A public key is given by its digits, by a file with them, or by a PEM file as OpenSSL writes it."""
    path = tmp_path / "bundle.key"
    public = public_hex(mint_key(path))
    (tmp_path / "digits").write_text(f"{public.upper()}\n", encoding="ascii")
    pem = tmp_path / "public.pem"
    subprocess.run([require("openssl"), "pkey", "-in", str(path), "-pubout", "-out", str(pem)], check=True)
    assert [read_public(given) for given in (public, str(tmp_path / "digits"), str(pem))] == [public] * 3


@pytest.mark.parametrize("content", [b"", b"noise", b"\xff\x00" * 3000, b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_files_that_hold_no_key(tmp_path: Path, content: bytes):
    """A file that holds no key is one clear line, and is left as it is."""
    path = tmp_path / "bundle.key"
    path.write_bytes(content)
    for use in (mint_key, load_key, lambda path: read_public(str(path))):
        with pytest.raises(BundleError, match=r"bundle\.key"):
            use(path)
    assert path.read_bytes() == content


def test_files_that_cannot_be_used(tmp_path: Path, require):
    """An absent file, an absent folder and a key of another kind are one clear line each."""
    with pytest.raises(BundleError, match=r"cannot read key file .*: No such file"):
        load_key(tmp_path / "no.key")
    with pytest.raises(BundleError, match=r"cannot make key file .*: No such file"):
        mint_key(tmp_path / "no" / "bundle.key")
    rsa = tmp_path / "rsa.key"
    subprocess.run([require("openssl"), "genrsa", "-out", str(rsa), "1024"], check=True, capture_output=True)
    with pytest.raises(BundleError, match="a key of another kind; allowed: Ed25519"):
        load_key(rsa)
