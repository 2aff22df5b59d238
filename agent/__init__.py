"""The box: capture, detection, tracking, analytics, store and status page."""

__version__ = "0.1.0"
