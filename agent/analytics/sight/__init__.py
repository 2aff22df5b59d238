"""Whether a camera can see, and whether it still looks where it did. See agent/analytics/DESIGN.md."""

from agent.analytics.sight.reference import Reference, load_reference, save_reference
from agent.analytics.sight.sight import Sight, Sighting
from agent.analytics.sight.view import View

__all__ = ["Reference", "Sight", "Sighting", "View", "load_reference", "save_reference"]
