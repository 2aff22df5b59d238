"""Discovery: which cameras are on the network, and where their streams are. See DESIGN.md."""

from agent.discovery.onvif import Login, Stream, streams_of
from agent.discovery.probe import Found, probe
from agent.discovery.search import Camera, discover

__all__ = ["Camera", "Found", "Login", "Stream", "discover", "probe", "streams_of"]
