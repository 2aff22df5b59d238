"""``python -m agent.decoder CONTROL BEAT CRASH``: three file descriptors from the agent."""

import sys

from agent.decoder.worker import run

run(*(int(number) for number in sys.argv[1:4]))
