"""Motion: does this picture deserve a detector? See DESIGN.md."""

from agent.motion.gate import MotionGate
from agent.motion.moving import MovingObjects

__all__ = ["MotionGate", "MovingObjects"]
