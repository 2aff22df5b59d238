"""Where log lines go: standard error, one line each, with bound keys."""

import logging
import os
import sys
from contextlib import suppress
from io import TextIOBase
from typing import TextIO, cast

import structlog


class _Unbreakable:
    """A stream that loses lines rather than raise.

    Its disk may be full, or whoever read it may have gone: neither may end the thread that had something to say.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: it was closed
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure_logging(*, verbose: bool = False, as_json: bool = False) -> None:
    """Set up logging for a program; called once, by the command line.

    Args:
        verbose: Show debug lines, tracebacks among them.
        as_json: One JSON object a line, for machines that collect logs.
    """
    stream = sys.stderr or cast(TextIO, TextIOBase())  # None where it was closed; the base takes nothing
    level = logging.DEBUG if verbose else logging.INFO
    under_journald = "JOURNAL_STREAM" in os.environ  # it stamps the lines itself
    stamp = [] if under_journald else [structlog.processors.TimeStamper(fmt="iso", utc=True)]
    render = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, pad_level=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *stamp,
            *([structlog.processors.format_exc_info] if as_json else []),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Unbreakable(stream))),
        cache_logger_on_first_use=False,
    )
    # Libraries: their warnings, in the same place; what they raise reaches us as exceptions.
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(name)s: %(message)s")
    for noisy in ("apscheduler", "libav"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
