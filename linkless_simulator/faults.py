"""Answers that a test plans for the next requests to a path."""

from dataclasses import dataclass, replace

from linkless_simulator.answers import Answer


@dataclass(slots=True)
class Planned:
    """The answer to `times` requests to `path` (of one login, if `username` is given).

    `processed`: the request is still carried out, and only its answer is lost. Without `answer` the real answer is
    sent; `delay` (seconds) and `dropped` apply to both.
    """

    path: str
    answer: Answer | None = None
    times: int = 1
    username: str | None = None
    processed: bool = False
    delay: float = 0.0
    dropped: bool = False

    def fits(self, path: str, username: str | None) -> bool:
        """Return whether the plan is for this request."""
        return self.times > 0 and self.path == path and self.username in (None, username)

    @property
    def suppresses(self) -> bool:
        """Whether the request is not carried out."""
        return not self.processed and (self.answer is not None or self.dropped)

    def instead_of(self, real: Answer) -> Answer:
        """Return what is sent in place of the real answer."""
        answer = self.answer or real
        status = 0 if self.dropped else answer.status
        return replace(answer, status=status, delay=self.delay, dropped=self.dropped)
