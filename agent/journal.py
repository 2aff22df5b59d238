"""Where log lines go: standard error, one line each, with bound keys."""

import logging
import os
import sys

import structlog


def configure_logging(*, verbose: bool = False, as_json: bool = False) -> None:
    """Set up logging for a program; called once, by the command line.

    Args:
        verbose: Show debug lines, tracebacks among them.
        as_json: One JSON object a line, for machines that collect logs.
    """
    level = logging.DEBUG if verbose else logging.INFO
    under_journald = "JOURNAL_STREAM" in os.environ  # it stamps the lines itself
    stamp = [] if under_journald else [structlog.processors.TimeStamper(fmt="iso", utc=True)]
    render = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, pad_level=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *stamp,
            *([structlog.processors.format_exc_info] if as_json else []),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries: their warnings, in the same place; what they raise reaches us as exceptions.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    for noisy in ("apscheduler", "libav"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
