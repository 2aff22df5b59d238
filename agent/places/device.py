"""A receiver on a serial line, or on anything else that is no regular file."""

import os
import select
import termios

from agent.receiver import BAUD_RATES

_SPEEDS = {baud: getattr(termios, f"B{baud}") for baud in BAUD_RATES}


class DeviceLink:
    """An open device that speaks by itself; it is only read."""

    def __init__(self, path: str, baud: int) -> None:
        """Open it, and set a serial line to raw bytes, 8N1 and ``baud``; raises OSError."""
        self._fd = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            if os.isatty(self._fd):
                self._set_line(_SPEEDS[baud])
        except (OSError, termios.error) as error:
            os.close(self._fd)
            raise OSError(f"{path}: cannot be set to {baud} baud: {error}") from error

    def _set_line(self, speed: int) -> None:
        control = termios.tcgetattr(self._fd)[6]
        control[termios.VMIN], control[termios.VTIME] = 1, 0
        local = termios.CS8 | termios.CREAD | termios.CLOCAL  # CLOCAL: no modem whose hanging up would matter
        termios.tcsetattr(self._fd, termios.TCSANOW, [0, 0, local, 0, speed, speed, control])

    def read(self, timeout_s: float) -> bytes:
        """Return what came, nothing if nothing came in time. Raises OSError when the device is gone."""
        if not select.select([self._fd], [], [], timeout_s)[0]:
            return b""
        try:
            data = os.read(self._fd, 65_536)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionError("the device is gone")
        return data

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)
