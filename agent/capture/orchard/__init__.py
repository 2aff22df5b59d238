"""The simulated orchard: a drawn row of fruit trees passing the camera, with a known truth."""

from agent.capture.orchard.scene import Orchard, Truth
from agent.capture.orchard.spec import OrchardSpec, parse_orchard

__all__ = ["Orchard", "OrchardSpec", "Truth", "parse_orchard"]
