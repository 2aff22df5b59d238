"""Which of several boxes with one name may use it. Pure: what was heard and the time are passed in.

The broker cannot decide it. Where two clients share an id it throws the first one out, the first comes back and throws
the second one out, for ever; and not every broker says why. So each run of an agent has an id of its own, and boxes
settle it among themselves, on the topic of their state: who comes asks, who is there answers, who is answered leaves.
"""

from enum import Enum

from cloud_sync.wire import StateMessage


class Standing(Enum):
    """Where a box stands with its name."""

    ASKING = "asking"
    HOLDS = "holds"
    REFUSED = "refused"


class Claim:
    """One connection's claim to the name of its box.

    The own question comes back from the broker like any message of the topic. By then what is retained there has come
    too: if that does not say that another one is online, nobody needs to be waited for.
    """

    def __init__(self, instance: str, *, answer_s: float, now_s: float) -> None:
        """Begin to ask.

        Args:
            instance: Names this run of this agent; of two that ask at once the smaller one wins.
            answer_s: Whoever is online answers within this. Longer than a slow link needs there and back; a box that
                lost power waits so long for its own former self.
            now_s: Monotonic.
        """
        self._instance = instance
        self._answer_s = answer_s
        self._until_s = now_s + answer_s
        self._echoed = False
        self._taken = False
        self.standing = Standing.ASKING
        self.twin = ""  # the run that holds the name, or was turned away last
        self.told = False  # that we are online
        self.must_answer = False  # the state on the topic is not ours, or somebody asks: say it again

    def heard(self, state: StateMessage, *, retained: bool, now_s: float) -> None:
        """Take note of a message on the topic of the state."""
        if state.instance == self._instance:
            self._heard_self(state, retained=retained, now_s=now_s)
        elif self.standing is Standing.ASKING:
            self._heard_while_asking(state, retained=retained)
        elif self.standing is Standing.HOLDS and not retained:
            self._heard_while_holding(state)

    def look(self, now_s: float) -> Standing:
        """Return where it stands now."""
        if self.standing is Standing.ASKING and ((self._echoed and not self._taken) or now_s >= self._until_s):
            self.standing = Standing.HOLDS
        return self.standing

    def _heard_self(self, state: StateMessage, *, retained: bool, now_s: float) -> None:
        if state.claiming:
            if not self._echoed:
                self._echoed = True
                self._until_s = now_s + self._answer_s
        elif self.standing is Standing.HOLDS and state.state != "online" and not retained:
            self.must_answer = True  # the will of an earlier connection

    def _heard_while_asking(self, state: StateMessage, *, retained: bool) -> None:
        if state.claiming:
            if _wins(state, self._instance):
                self._refuse(state)
            else:
                self.must_answer = True  # it may have come too late to hear our question
        elif state.state == "online":
            self._taken = True
            self.twin = state.instance or ""
            if not retained:
                self._refuse(state)
        elif state.instance == self.twin:
            self._taken = False  # it has just gone, or the broker has just noticed

    def _heard_while_holding(self, state: StateMessage) -> None:
        if state.state == "online" and not state.claiming and _wins(state, self._instance):
            self._refuse(state)  # both began at once, and neither heard the other's question
            return
        self.must_answer = True  # a question, or the last words of another one on top of ours
        if state.claiming:
            self.twin = state.instance or ""

    def _refuse(self, state: StateMessage) -> None:
        self.standing = Standing.REFUSED
        self.twin = state.instance or ""


def _wins(state: StateMessage, instance: str) -> bool:
    return state.instance is not None and state.instance < instance
