"""Log lines never get in the way of work."""

import subprocess
import sys

import pytest

SCRIPT = """
import structlog
from agent.journal import configure_logging
configure_logging()
for number in range(2000):
    structlog.get_logger().info("line", number=number)
print("worked on")
"""


@pytest.mark.parametrize("log", ["full disk", "reader gone", "closed"])
def test_log_that_takes_nothing_stops_nobody(log: str):
    """A full disk below the log, a reader of it that went, or no log at all: the program works on."""
    target = {"full disk": ">/dev/full", "reader gone": "> >(exec true)", "closed": ">&-"}[log]
    command = ["bash", "-c", f'sleep 0.2; exec "$0" -c "$1" 2{target}', sys.executable, SCRIPT]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.stdout == "worked on\n"
