"""Some faults only root can cause."""

import os

import pytest


def require_root(reason: str) -> None:
    """Skip a test that needs root; fail it where nothing may be skipped."""
    if os.getuid() == 0:
        return
    if os.environ.get("HEDGEROW_REQUIRE_COMPONENTS") == "1":
        pytest.fail(f"only root can do this ({reason}), and HEDGEROW_REQUIRE_COMPONENTS=1 asks for it")
    pytest.skip(f"only root can do this: {reason}")
