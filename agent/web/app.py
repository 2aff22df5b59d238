"""The page's addresses, and nothing else: who may ask is in ``guard``, pictures are in ``live`` and ``stream``."""

from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from agent.errors import HedgerowError
from agent.status import BoxStatus
from agent.web.guard import Guard
from agent.web.live import LiveView
from agent.web.shared_call import SharedCall
from agent.web.stream import LiveStreams, camera_of, stop_of

STATUS_TIMEOUT_S = 4.0

_STATIC = Path(__file__).resolve().parent / "static"
_NO_STORE = {"Cache-Control": "no-store"}


def create_app(status: Callable[[], BoxStatus], live: LiveView, *, password: str | None) -> Starlette:
    """Make the status page as an ASGI application.

    Args:
        status: Called in a thread of its own when somebody looks, never twice at a time. When it raises a
            ``HedgerowError``, the page says the message; when it takes longer than ``STATUS_TIMEOUT_S``, that.
        live: The pictures.
        password: None only when the page listens on loopback alone.

    Raises:
        ValueError: The password is empty.
    """
    if password == "":
        raise ValueError("the page's password is empty")
    page = _Page(status, live)
    return Starlette(
        routes=[
            Route("/", _index, methods=["GET"]),
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/api/status", page.status, methods=["GET"]),
            Route("/cameras/{name}/snapshot.jpg", page.snapshot, methods=["GET"]),
            Route("/cameras/{name}/live.mjpeg", page.streams),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[Middleware(Guard, password=password)],
        exception_handlers={HTTPException: _explain},
    )


class _Page:
    """The addresses that tell of this box."""

    def __init__(self, status: Callable[[], BoxStatus], live: LiveView) -> None:
        self._status = SharedCall(status, "page-status")
        self._live = live
        self.streams = LiveStreams(live)

    async def status(self, request: Request) -> Response:
        try:
            status = await self._status.result(stop_of(request), timeout_s=STATUS_TIMEOUT_S)
        except HedgerowError as error:
            return JSONResponse({"error": str(error)}, HTTPStatus.SERVICE_UNAVAILABLE, _NO_STORE)
        return JSONResponse({**status.as_dict(), "live": self._live_facts()}, headers=_NO_STORE)

    def _live_facts(self) -> dict[str, object]:
        """Return what the page needs beside the status: the box's own time, and its pictures' age and legend."""
        cameras = {
            camera: {**asdict(self._live.state(camera)), "viewers": self.streams.viewers(camera)}
            for camera in self._live.cameras
        }
        return {"now": asdict(self._live.clock.now()), "cameras": cameras}

    async def snapshot(self, request: Request) -> Response:
        picture = await run_sync(self._live.picture, camera_of(request, self._live))
        return Response(picture.jpeg, media_type="image/jpeg", headers=_NO_STORE)


async def _index(_request: Request) -> Response:
    return FileResponse(_STATIC / "index.html")


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"}, headers=_NO_STORE)


async def _explain(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, {**_NO_STORE, **(error.headers or {})})
