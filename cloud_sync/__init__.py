"""Both ends of the sync. Never imports ``agent``."""
