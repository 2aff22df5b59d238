"""Who may ask, and what every answer carries."""

import base64
import binascii
import hmac
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # or any web site could show the pictures of a box on loopback
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_OPEN_PATHS = frozenset({"/healthz"})
"""For probes, without the password: these say nothing about the box."""


class Guard:
    """ASGI middleware: GET only; the password or, without one, this machine only; headers on every answer."""

    def __init__(self, app: ASGIApp, password: str | None) -> None:
        """Guard an application.

        Args:
            app: What answers those who may ask.
            password: For HTTP Basic, any user name. None: only requests addressed to loopback are answered, which
                keeps out web sites that point a name of their own at it (DNS rebinding).
        """
        self._app = app
        self._digest = sha256(password.encode()).digest() if password is not None else None
        self._wrong = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        answer = self._refusal(scope) or self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if scope["method"] != "GET":
            return _refuse(405, "only GET is answered here", Allow="GET")
        if self._digest is None:
            if _is_loopback(headers.get("host", "")):
                return None
            return _refuse(403, "without a password the page answers only to localhost, 127.0.0.1 and [::1]")
        if scope["path"] in _OPEN_PATHS or self._knows_password(headers):
            return None
        challenge = 'Basic realm="Hedgerow", charset="UTF-8"'
        return _refuse(401, "the page asks for its password", **{"WWW-Authenticate": challenge})

    def _knows_password(self, headers: Headers) -> bool:
        given = _basic_password(headers.get("authorization", ""))
        if given is None or self._digest is None:
            return False
        # Digests have one length, so that the comparison tells nothing, not even how long the password is.
        if hmac.compare_digest(sha256(given).digest(), self._digest):
            self._wrong = 0
            return True
        self._wrong += 1
        if str(self._wrong).strip("0") == "1":  # the first, the tenth, the hundredth
            log.warning("page_password_wrong", times=self._wrong)
        return False


def _refuse(status: int, error: str, **headers: str) -> JSONResponse:
    return JSONResponse({"error": error}, status, {"Cache-Control": "no-store", **headers})


def _basic_password(authorization: str) -> bytes | None:
    """Return the password of an Authorization header, None where there is none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return password if colon else None


def _is_loopback(host: str) -> bool:
    """Tell whether a Host header names this machine by its own loopback names, with any port (a tunnel changes it)."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
