"""The status page: live pictures, counts, link and health, served by the box itself."""

from agent.web.app import create_app
from agent.web.live import LiveView
from agent.web.server import PageServer

__all__ = ["LiveView", "PageServer", "create_app"]
