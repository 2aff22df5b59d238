"""Which of several boxes with one name may use it, with times passed in."""

from cloud_sync.uplink.claim import Claim, Standing
from cloud_sync.wire import StateMessage


def state(word: str, instance: str | None, *, claiming: bool = False) -> StateMessage:
    return StateMessage(state=word, boot=1, since_ms=1, instance=instance, claiming=claiming)


def asking(instance: str = "m") -> Claim:
    return Claim(instance, answer_s=10, now_s=0)


def holding(instance: str = "m") -> Claim:
    claim = asking(instance)
    claim.heard(state("online", instance, claiming=True), retained=False, now_s=0)
    assert claim.look(0) is Standing.HOLDS
    return claim


def test_free_name_is_taken_at_once() -> None:
    """Once the own question has come back, and no retained state names another one online, nobody is waited for."""
    claim = asking()
    claim.heard(state("offline", "a"), retained=True, now_s=1)
    assert claim.look(1) is Standing.ASKING
    claim.heard(state("online", "m", claiming=True), retained=False, now_s=1)
    assert claim.look(1) is Standing.HOLDS


def test_whoever_is_answered_leaves() -> None:
    """An answer of another one that is online refuses the name, and says whose it is."""
    claim = asking()
    claim.heard(state("online", "z"), retained=True, now_s=1)
    claim.heard(state("online", "m", claiming=True), retained=False, now_s=1)
    assert claim.look(5) is Standing.ASKING
    claim.heard(state("online", "z"), retained=False, now_s=6)
    assert (claim.look(6), claim.twin) == (Standing.REFUSED, "z")


def test_stale_state_locks_nobody_out() -> None:
    """A retained "online" whose owner does not answer in time, as of a box that lost power, is no obstacle."""
    claim = asking()
    claim.heard(state("online", "z"), retained=True, now_s=1)
    claim.heard(state("online", "m", claiming=True), retained=False, now_s=2)
    assert claim.look(11.9) is Standing.ASKING
    assert claim.look(12) is Standing.HOLDS


def test_name_is_free_once_its_owner_is_reported_gone() -> None:
    """The will of the former self ends the wait for its answer."""
    claim = asking()
    claim.heard(state("online", "z"), retained=True, now_s=1)
    claim.heard(state("online", "m", claiming=True), retained=False, now_s=1)
    assert claim.look(1) is Standing.ASKING
    claim.heard(state("offline", "z"), retained=False, now_s=2)
    assert claim.look(2) is Standing.HOLDS


def test_broker_that_echoes_nothing_is_waited_for_once() -> None:
    """Where the own topic cannot be heard, the name is taken after the time of an answer."""
    claim = asking()
    assert claim.look(9.9) is Standing.ASKING
    assert claim.look(10) is Standing.HOLDS


def test_of_two_that_ask_at_once_the_smaller_stays() -> None:
    """Both hear the other's question: one leaves, and the other says so again in case it was not heard."""
    first, second = asking("a"), asking("b")
    first.heard(state("online", "b", claiming=True), retained=False, now_s=1)
    second.heard(state("online", "a", claiming=True), retained=False, now_s=1)
    assert first.must_answer
    assert first.look(1) is Standing.ASKING
    assert second.look(1) is Standing.REFUSED


def test_two_that_both_hold_end_as_one() -> None:
    """Where neither heard the other's question, the first state that is heard decides."""
    first, second = holding("a"), holding("b")
    first.heard(state("online", "b"), retained=False, now_s=1)
    assert first.look(1) is Standing.HOLDS
    assert first.must_answer
    second.heard(state("online", "a"), retained=False, now_s=1)
    assert second.look(1) is Standing.REFUSED


def test_last_words_of_another_run_are_answered() -> None:
    """The will of a session that is over does not stay on top of the state of who is online."""
    for instance in ("a", "z", "m"):
        claim = holding()
        claim.heard(state("offline", instance), retained=False, now_s=1)
        assert claim.must_answer
        assert claim.look(1) is Standing.HOLDS


def test_own_state_and_what_is_retained_need_no_answer() -> None:
    """A box does not talk to itself."""
    claim = holding()
    claim.heard(state("online", "m"), retained=False, now_s=1)
    claim.heard(state("offline", "a"), retained=True, now_s=1)
    assert not claim.must_answer


def test_box_of_an_older_version_is_no_rival() -> None:
    """A state without an instance decides nothing once the name is held."""
    claim = holding()
    claim.heard(state("online", None), retained=False, now_s=1)
    assert claim.look(1) is Standing.HOLDS
