"""The answer of `check` in words: counts, and each failing login by its key with what to do. Pure."""

from __future__ import annotations

from airbyte_cdk.models import AirbyteConnectionStatus, FailureType
from airbyte_cdk.models import Status as CheckStatus
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.config import Config
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking import events
from source_linkless.sync.verdict import End, steps

_FIRST = 5
_OF_A_SYNC, _OF_A_TEST = "The next sync tries again.", "Test again later."
_DO_NOT_REPEAT = (
    "Do not test the same login again before it is corrected: while a source is not saved yet, every test submits "
    "it to the utility once more, and a few wrong passwords lock an account."
)


class CheckReport:
    """Collects how the checked logins ended and says what that means for a sync."""

    def __init__(self, config: Config) -> None:
        """Start without any login checked."""
        self._config = config
        self._ends: list[End] = []

    def add(self, finished: events.Finished) -> None:
        """Add one checked login."""
        self._ends.append(End(finished.login.key, finished.outcome))

    def status(self) -> AirbyteConnectionStatus:
        """Return FAILED when a sync could deliver nothing, else SUCCEEDED; both with what to know.

        Raises a transient error when an outage is all that stands in the way.
        """
        failing = [end for end in self._ends if end.outcome.status in (Status.NEEDS_USER, Status.FAILED)]
        unchecked = len(self._config.logins) - len(self._ends)
        nothing_works = bool(failing) and len(failing) == len(self._ends)
        if nothing_works and {end.outcome.failure for end in failing} == {FailureType.transient_error}:
            raise self._out_of_reach("\n".join(steps(failing)))
        if nothing_works and not unchecked:
            return AirbyteConnectionStatus(status=CheckStatus.FAILED, message=self._failed(failing))
        return AirbyteConnectionStatus(status=CheckStatus.SUCCEEDED, message=self._succeeded(failing, unchecked))

    def without_logins(self, problem: Problem) -> AirbyteConnectionStatus:
        """Return FAILED for refused keys; raise a transient error when the provider is out of reach."""
        if problem.meaning.then is not Then.ASK_KEYS:
            raise self._out_of_reach(f"{problem.reason}. {problem.meaning.advice}") from problem
        message = f"{problem.reason}. {problem.meaning.advice} Configured environment: {self._config.environment}."
        return AirbyteConnectionStatus(status=CheckStatus.FAILED, message=message)

    def _out_of_reach(self, told: str) -> AirbyteTracedException:
        """Make the error of a test that an outage stopped; what a sync would do next is no help in a test."""
        message = f"{told.replace(_OF_A_SYNC, _OF_A_TEST)} Address: {self._config.api_url}"
        failure = FailureType.transient_error
        return AirbyteTracedException(message=message, internal_message=message, failure_type=failure)

    def _failed(self, failing: list[End]) -> str:
        lines = [*steps(failing)[:_FIRST]]
        if any(end.outcome.status is Status.NEEDS_USER for end in failing):
            lines.append(_DO_NOT_REPEAT)
        return "\n".join(lines)

    def _succeeded(self, failing: list[End], unchecked: int) -> str:
        counts = [
            (sum(end.outcome.status in (Status.READY, Status.NO_DATA) for end in self._ends), "connected"),
            (
                sum(end.outcome.status is Status.PENDING for end in self._ends),
                "still connecting; the sync goes on waiting",
            ),
            (len(failing), "in need of attention"),
            (unchecked, "left to the sync"),
        ]
        said = ", ".join(f"{number} {what}" for number, what in counts if number)
        if self._config.method == "fleet":
            count = len(self._config.logins)
            head = f"{count} login{'s' * (count > 1)}: {said}."
            return "\n".join([head, *steps(failing)[:_FIRST]])
        key = self._config.logins[0].key
        return f"{said[2:].capitalize()}. Its key in the warehouse is {key}; keep this key when you move or edit it."
