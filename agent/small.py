"""The size of the small grey picture that stands for a frame where a look at all of it would cost too much."""

SMALL_PX = 320
"""Its longer side, at most."""


def small_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height of the small picture of a frame: its shape, never larger than it."""
    scale = min(1.0, SMALL_PX / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
