"""Sites and boxes as the cloud sees them: what has come, what has not, and why."""

from cloud_sync.fleet.gaps import BoxGaps, StreamGaps, gaps_of_boxes
from cloud_sync.fleet.hours import Hour
from cloud_sync.fleet.text import LEGEND, lines_of, values_of

__all__ = ["LEGEND", "BoxGaps", "Hour", "StreamGaps", "gaps_of_boxes", "lines_of", "values_of"]
