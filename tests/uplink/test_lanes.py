"""Who goes next where several wait."""

from collections import Counter

from cloud_sync.uplink.lanes import Lane, Shares

MESSAGE = 1000


def drain(waiting: list[Lane], messages: int) -> Counter[Lane]:
    """Send so many messages of one size while all of these wait all the time."""
    shares, sent = Shares(), Counter[Lane]()
    for _ in range(messages):
        lane = shares.choose(waiting)
        shares.went(lane, MESSAGE, waiting)
        sent[lane] += 1
    return sent


def test_flood_of_events_starves_nobody() -> None:
    """While events come without end, rollups, losses and evidence keep the shares that are theirs."""
    sent = drain([Lane.EVENT, Lane.SHED, Lane.FRESH, Lane.BACKLOG, Lane.EVIDENCE], 10_000)
    assert 0.23 < sent[Lane.FRESH] / 10_000 < 0.27
    assert 0.23 < sent[Lane.BACKLOG] / 10_000 < 0.27
    assert 0.04 < sent[Lane.EVIDENCE] / 10_000 < 0.06
    assert 0.04 < sent[Lane.SHED] / 10_000 < 0.06
    assert sent[Lane.EVENT] > 3_500


def test_alarms_wait_for_nobody() -> None:
    """An alarm goes next, whatever the others have saved up."""
    shares = Shares()
    for _ in range(100):
        shares.went(Lane.EVENT, MESSAGE, list(Lane))
    assert shares.choose(list(Lane)) is Lane.ALARM


def test_one_that_waits_alone_has_all() -> None:
    """A share is no limit."""
    assert drain([Lane.EVIDENCE], 100) == {Lane.EVIDENCE: 100}


def test_nothing_is_saved_up_while_nothing_waits() -> None:
    """A lane that was empty for a day has no claim to the next hour."""
    shares = Shares()
    for _ in range(1000):
        shares.went(Lane.EVENT, MESSAGE, [Lane.EVENT])
    assert shares.choose([Lane.EVENT, Lane.EVIDENCE]) is Lane.EVENT


def test_old_backlog_and_what_is_new_go_side_by_side() -> None:
    """What is fresh goes first, and the backlog has at least a quarter beside it."""
    sent = drain([Lane.FRESH, Lane.BACKLOG], 1000)
    assert 230 < sent[Lane.BACKLOG] < 270
