"""What a camera says of its streams, asked over HTTP."""

import base64
import hashlib
import http.client
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from agent.discovery.soap import each, envelope, host_of, parse, text_of
from agent.errors import RejectedError, RetryableError

_MOST_BYTES = 1_000_000
_MOST_PROFILES = 32
_TIMEOUT_S = 5.0
_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_SCHEMA = "http://www.onvif.org/ver10/schema"
_SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity"
_TOKEN = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks. ``repr`` does not show the password."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Name the user alone."""
        return f"Login({self.username!r})"


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a camera; what it does not tell is empty or 0. The address holds no password."""

    profile: str
    address: str
    codec: str
    width: int
    height: int
    fps: float


def streams_of(service: str, login: Login | None, *, utc_ns: int) -> list[Stream]:
    """Ask a camera for its streams, the largest first.

    Args:
        service: Address of its device service.
        login: Most cameras want one for this.
        utc_ns: The time now; used where the camera does not tell its own, on which its check of the login depends.

    Raises:
        RetryableError: It cannot be reached, or does not answer in time.
        RejectedError: It wants another login, or answers what is no ONVIF.
    """
    camera = _Conversation(service, login, utc_ns)
    media = camera.media_service()
    profiles = list(each(camera.ask(media, f'<GetProfiles xmlns="{_MEDIA}"/>'), "Profiles"))[:_MOST_PROFILES]
    streams = [camera.stream(media, profile) for profile in profiles]
    return sorted((one for one in streams if one.address), key=lambda one: -one.width * one.height)


class _Conversation:
    def __init__(self, service: str, login: Login | None, utc_ns: int) -> None:
        self._service, self._login = service, login
        self._opener = _opener(service, login)
        self._now = datetime.fromtimestamp(utc_ns // 10**9, UTC)

    def media_service(self) -> str:
        """Learn the camera's time, and return where it tells of its streams."""
        said = self.ask(self._service, f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>', signed=False, may_fail=True)
        self._now = _time_of(said) or self._now
        body = f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
        capabilities = self.ask(self._service, body)
        media = next(each(capabilities, "Media"), None)
        address = "" if media is None else text_of(media, "XAddr")
        return address if host_of(address) == host_of(self._service) else self._service

    def stream(self, media: str, profile: Element) -> Stream:
        token = profile.get("token", "")
        setup = f'<StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
        setup += f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
        body = f'<GetStreamUri xmlns="{_MEDIA}">{setup}<ProfileToken>{escape(token)}</ProfileToken></GetStreamUri>'
        encoder = next(each(profile, "VideoEncoderConfiguration"), profile)
        return Stream(
            profile=text_of(profile, "Name") or token,
            address=_address_in(self.ask(media, body)),
            codec=text_of(encoder, "Encoding"),
            width=round(_number(text_of(encoder, "Width"))),
            height=round(_number(text_of(encoder, "Height"))),
            fps=_number(text_of(encoder, "FrameRateLimit")),
        )

    def ask(self, service: str, body: str, *, signed: bool = True, may_fail: bool = False) -> Element:
        header = _signature(self._login, self._now) if self._login is not None and signed else ""
        request = Request(service, envelope(body, header=header))  # noqa: S310  an http address, checked by the probe
        request.add_header("Content-Type", "application/soap+xml; charset=utf-8")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return parse(_read(answer))
        except HTTPError as error:
            if may_fail:
                return Element("nothing")
            raise _explained(error) from None
        except (OSError, URLError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise RetryableError(f"does not answer: {str(reason) or type(error).__name__}") from None


def _opener(service: str, login: Login | None) -> OpenerDirector:
    """Return what speaks HTTP, with digest authentication for cameras that want that beside, or instead."""
    direct = ProxyHandler({})  # a camera is on this network, not behind a proxy
    if login is None:
        return build_opener(direct)
    passwords = HTTPPasswordMgrWithDefaultRealm()
    where = urlsplit(service)
    passwords.add_password(None, f"{where.scheme}://{where.netloc}", login.username, login.password)
    return build_opener(direct, HTTPDigestAuthHandler(passwords))


def _read(answer: IO[bytes]) -> bytes:
    document = answer.read(_MOST_BYTES + 1)
    if len(document) > _MOST_BYTES:
        raise RejectedError("its answer is longer than a million bytes")
    return document


def _explained(error: HTTPError) -> RejectedError:
    """Say what a fault means."""
    try:
        fault = parse(_read(error))
        text, codes = text_of(fault, "Text"), " ".join(code.text or "" for code in each(fault, "Value"))
    except (RejectedError, OSError):
        text, codes = "", ""
    if error.code in {401, 403} or "NotAuthorized" in codes or "FailedAuthentication" in codes:
        return RejectedError("wants a login, or another one: --username and --password-file")
    return RejectedError(f"answers {error.code}" + (f": {' '.join(text.split())[:200]}" if text else ""))


def _signature(login: Login, now: datetime) -> str:
    """Return the header that proves knowledge of the password. Source: OASIS WSS UsernameToken Profile 1.0, 3.1."""
    nonce, created = os.urandom(16), now.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(nonce + created.encode() + login.password.encode()).digest()  # noqa: S324  the standard's
    return (
        f'<w:Security xmlns:w="{_SECURITY}-secext-1.0.xsd"><w:UsernameToken>'
        f"<w:Username>{escape(login.username)}</w:Username>"
        f"<w:Password Type={quoteattr(_TOKEN)}>{base64.b64encode(digest).decode()}</w:Password>"
        f"<w:Nonce>{base64.b64encode(nonce).decode()}</w:Nonce>"
        f'<u:Created xmlns:u="{_SECURITY}-utility-1.0.xsd">{created}</u:Created>'
        "</w:UsernameToken></w:Security>"
    )


def _time_of(said: Element) -> datetime | None:
    utc = next(each(said, "UTCDateTime"), None)
    if utc is None:
        return None
    try:
        parts = [int(text_of(utc, name)) for name in ("Year", "Month", "Day", "Hour", "Minute", "Second")]
        return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def _address_in(answer: Element) -> str:
    """Return the address of a stream as it may be shown and stored: some cameras put the login into it."""
    address = text_of(answer, "Uri")
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e6 else 0.0
