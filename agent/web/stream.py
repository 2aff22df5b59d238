"""Live pictures as ``multipart/x-mixed-replace``: what browsers show in a plain image element."""

from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus
from threading import Event

import anyio
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from agent.web.live import LiveView, Picture

VIEWERS_MAX = 8
"""A camera; foliage takes a viewer about a megabyte a second of the local network."""

LOOK_EVERY_S = 0.1
"""So ten pictures a second at most."""

_GOODBYE_S = 0.3
_BOUNDARY = "hedgerow-picture"
_PART_HEAD = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
"""Sent at once after the picture before it: Chromium shows a part when it has read the head of the next one."""

_HEADERS = (
    (b"content-type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}".encode()),
    (b"cache-control", b"no-store"),
    (b"connection", b"close"),
)


def camera_of(request: Request, live: LiveView) -> str:
    """Return the camera that an address names.

    Raises:
        HTTPException: 404, no camera has that name.
    """
    name: str = request.path_params["name"]
    if name not in live.cameras:
        known = ", ".join(live.cameras)
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no camera is named {name!r}; there are: {known}")
    return name


def stop_of(request: Request) -> Event:
    """Return the event that ends the server; one that never comes where the page runs in another server than ours."""
    stop: Event = getattr(request.state, "stop", None) or Event()
    return stop


class LiveStreams:
    """ASGI application for ``/cameras/{name}/live.mjpeg``. It counts its viewers."""

    def __init__(self, live: LiveView) -> None:
        """Serve the pictures of a live view."""
        self._live = live
        self._viewers: Counter[str] = Counter()

    def viewers(self, camera: str) -> int:
        """Return how many watch a camera now."""
        return self._viewers[camera]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the viewer goes or the server stops.

        Raises:
            HTTPException: 404, no such camera; 503, all places are taken.
        """
        request = Request(scope)
        camera = camera_of(request, self._live)
        if self._viewers[camera] >= VIEWERS_MAX:
            error = f"{VIEWERS_MAX} viewers watch this camera already; ask for snapshot.jpg instead"
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, error, {"Retry-After": "10"})
        self._viewers[camera] += 1
        try:
            await self._stream(camera, stop_of(request), receive, send)
        finally:
            self._viewers[camera] -= 1

    async def _stream(self, camera: str, stop: Event, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_over, stop, receive, tasks.cancel_scope)
            await send({"type": "http.response.start", "status": HTTPStatus.OK.value, "headers": [*_HEADERS]})
            await send(_body(_PART_HEAD))
            async for picture in self._pictures(camera):
                await send(_body(picture.jpeg + b"\r\n" + _PART_HEAD))
        with anyio.move_on_after(_GOODBYE_S):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pictures(self, camera: str) -> AsyncIterator[Picture]:
        shown = None
        while True:
            if self._live.key(camera) != shown:
                picture = await run_sync(self._live.picture, camera)
                shown = picture.key
                yield picture
            await anyio.sleep(LOOK_EVERY_S)


async def _until_over(stop: Event, receive: Receive, scope: anyio.CancelScope) -> None:
    """Cancel the scope when the viewer has gone or the server stops."""
    while not stop.is_set():
        with anyio.move_on_after(LOOK_EVERY_S):
            if (await receive())["type"] == "http.disconnect":
                break
    scope.cancel()


def _body(data: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": True}
