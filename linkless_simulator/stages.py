"""How a connection progresses: a list of stages, each with a rule for how long it lasts.

    Stage(CONNECTING, Looks(2)) -> Stage(EXTRACTING, Seconds(30)) -> Stage(READY)

As in moto's managed state, tests progress by the number of polls, demos and benchmarks by the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from linkless_simulator.answers import Fault, refused


@dataclass(frozen=True, slots=True)
class Situation:
    """What the endpoints answer during one stage.

    `status` is the answer of `/link/connection/status`; `connection` and `reason` are those of
    `/connection/context`; `product` is what `/sustainability/get` answers instead of data. A fault in place of a
    status is answered unchanged.
    """

    status: str | Fault
    connection: str = "Connecting"
    reason: str = "Connecting"
    product: Fault | None = None
    context: Fault | None = None

    @property
    def linked(self) -> bool:
        """Whether the login has worked."""
        return self.connection == "Connected"


@dataclass(frozen=True, slots=True)
class Looks:
    """The stage lasts this many polls. Until the login has worked every poll counts, afterwards only product calls."""

    times: int


@dataclass(frozen=True, slots=True)
class Seconds:
    """The stage lasts this long by the backend's clock."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The stage lasts until `question` is answered correctly, within `tries` answers and `seconds`."""

    question: str
    expects: str
    wrong: Situation
    late: Situation
    tries: int = 2
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The stage lasts until accounts are selected."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A situation and how long it lasts (None: without end)."""

    shows: Situation
    lasts: Looks | Seconds | Reply | Choice | None = None


class Walk:
    """The position of one connection in its list of stages."""

    __slots__ = ("_index", "_looks", "_override", "_since", "_stages")

    def __init__(self, stages: Sequence[Stage], now: float | None) -> None:
        """Start at the first stage; without `now` the clock starts with the first product call."""
        self._stages = stages
        self._since = now
        self._index = 0
        self._looks = 0
        self._override: Situation | None = None

    def see(self, now: float, *, product: bool = False) -> Situation:
        """Count one poll and return the situation; `product` tells that the poll is a product call."""
        self._pass_time(now, product=product)
        stage = self._stages[self._index]
        if isinstance(stage.lasts, Looks) and (product or not stage.shows.linked):
            if self._looks >= stage.lasts.times:
                self._advance(now)
                return self.see(now, product=product)
            self._looks += 1
        return self._override or stage.shows

    def peek(self, now: float) -> Situation:
        """Return the situation without counting a poll."""
        self._pass_time(now, product=False)
        return self._override or self._stages[self._index].shows

    def question(self, now: float) -> str:
        """Return the text of the pending question, or refuse with SECURITY_QUESTION_NOT_FOUND."""
        return self._pending(now).question

    def answer(self, text: str, now: float) -> None:
        """Answer the pending question, or refuse with SECURITY_QUESTION_NOT_FOUND."""
        reply = self._pending(now)
        if text == reply.expects:
            self._advance(now)
        else:
            self._looks += 1
            self._override = reply.wrong

    def choosing(self, now: float) -> bool:
        """Return whether the session waits for a selection of accounts."""
        self._pass_time(now, product=False)
        return isinstance(self._stages[self._index].lasts, Choice)

    def chosen(self, now: float) -> None:
        """Continue after a selection of accounts."""
        self._advance(now)

    def _pending(self, now: float) -> Reply:
        self._pass_time(now, product=False)
        reply = self._stages[self._index].lasts
        if not isinstance(reply, Reply) or self._looks >= reply.tries:
            raise refused("SECURITY_QUESTION_NOT_FOUND", "No question is waiting for an answer")
        return reply

    def _pass_time(self, now: float, *, product: bool) -> None:
        if self._since is None:
            if not product:
                return
            self._since = now
        while isinstance(lasts := self._stages[self._index].lasts, Seconds) and now - self._since >= lasts.seconds:
            self._advance(self._since + lasts.seconds)
        if isinstance(lasts, Reply) and now - self._since >= lasts.seconds:
            self._stages, self._index, self._override = (Stage(lasts.late),), 0, None

    def _advance(self, now: float) -> None:
        self._index += 1
        self._looks = 0
        self._since = now
        self._override = None
