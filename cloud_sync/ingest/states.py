"""Which of two words about a box's state is the newer one."""

from typing import NamedTuple

DAY_MS = 86_400_000


class Told(NamedTuple):
    """A state as it was told: ``since_ms`` by the box's clock; in a will it is when that connection began."""

    state: str
    boot: int
    since_ms: int
    instance: str | None  # the run of the agent that says so


def is_newer(told: Told, stored: Told, *, live: bool, now_ms: int) -> bool:
    """Return whether ``told`` may take the place of ``stored``.

    The boot counter goes before the clock, which may be anything after a boot. An ``offline`` may be a will, older than
    what its own connection said later: it counts when it is of the run that spoke last. The will of an earlier run
    comes late, when the broker gives up its connection, and changes nothing. Where a clock is plainly wrong, or a box
    goes on from an old copy of its disk, the box itself is believed, and a will is not.

    Args:
        told: What came.
        stored: What is known.
        live: The broker passes it on as it comes, and did not keep it.
        now_ms: UTC, by our clock.
    """
    if told.state == "offline" and told.instance == stored.instance:
        return True
    if (told.boot, told.since_ms) >= (stored.boot, stored.since_ms):
        return True
    if not live or told.state == "offline":
        return False
    believable = abs(now_ms - told.since_ms) < DAY_MS and abs(now_ms - stored.since_ms) < DAY_MS
    return told.since_ms > stored.since_ms or not believable
