"""Where the broker is, and what to show it. Secrets are read from files when a connection starts, and kept nowhere."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from cloud_sync.errors import SyncFatalError

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_EXPECTED = "expected mqtt://HOST[:PORT] or mqtts://HOST[:PORT]"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker listens. Its text is ``host:port``, never with credentials."""

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Self:
        """Take ``mqtt://HOST[:PORT]`` or ``mqtts://HOST[:PORT]`` apart.

        Raises:
            SyncFatalError: It is something else, or carries a user or password.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:  # its text may quote a part of a password
            raise SyncFatalError(f"broker address is not valid; {_EXPECTED}") from None
        if parts.username or parts.password:
            raise SyncFatalError("broker address: no user or password in it; give a user name and a password file")
        if parts.scheme not in DEFAULT_PORTS or not host or port == 0 or parts.path not in ("", "/"):
            raise SyncFatalError(f"broker address {url.partition('?')[0]!r}: {_EXPECTED}")
        return cls(host, port or DEFAULT_PORTS[parts.scheme], parts.scheme == "mqtts")

    def __str__(self) -> str:
        """Return ``host:port``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """How to reach a broker.

    Without ``ca_file``, ``mqtts`` trusts the certificate authorities of the system. ``cert_file`` and ``key_file``
    belong together. The first line of ``password_file`` is the password. ``protocol`` "3.1.1" is for brokers that know
    no MQTT 5: no reasons, no limits told, no properties.
    """

    url: str
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    keepalive_s: int = 15  # silence after which the broker is asked; it has as long again to answer, at most 10 s
    connect_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what can never work.

        Raises:
            SyncFatalError: A wrong address, or one half of a pair.
        """
        Address.parse(self.url)
        if (self.cert_file is None) != (self.key_file is None):
            raise SyncFatalError("certificate and key of the client belong together: give both or neither")
        if self.password_file is not None and self.username is None:
            raise SyncFatalError("a password file needs a user name")

    @property
    def address(self) -> Address:
        """Return where the broker listens."""
        return Address.parse(self.url)

    def password(self) -> str | None:
        """Read the password.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is not UTF-8 text.
        """
        if self.password_file is None:
            return None
        return self.password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")

    def tls_context(self) -> ssl.SSLContext | None:
        """Load the certificates, if the address asks for TLS.

        Raises:
            OSError: A file cannot be read, or is no certificate or key.
        """
        if not self.address.tls:
            return None
        for file in filter(None, (self.ca_file, self.cert_file, self.key_file)):
            with file.open("rb"):  # an OSError of open() names the file; those of ssl do not
                pass
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context
