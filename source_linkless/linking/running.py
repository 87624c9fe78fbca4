"""The state of one run and of one login in it, the two ways to repeat a request, and the outcome of an exception.

patiently        for reads: through every 429, and a few times through failures of the provider or the network
at_allowed_rate  for everything else: through every 429, which the provider answers before it does anything
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Protocol, TypeVar

from source_linkless.clock import Now
from source_linkless.concurrency import Emit, Place, RateLimit, waiting
from source_linkless.config import Config, Links, Login
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking.events import NOT_ASKED_YET, Event, WantedFile
from source_linkless.provider import Api, Context, outcomes
from source_linkless.provider.outcomes import Outcome

T = TypeVar("T")

_FILES_AT_ONCE = 4
_HANGING_SECONDS = 10.0
"""A request that has had no answer for so long at the deadline counts as hanging."""


class Ended(Exception):  # noqa: N818 - an outcome, not an error
    """This login is over for this run."""

    def __init__(self, outcome: Outcome) -> None:
        """Carry the outcome."""
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(slots=True)
class Opening:
    """One login in this run."""

    login: Login
    started: float
    """Seconds of the event loop, as all moments here."""
    reason: str = NOT_ASKED_YET
    """The provider's latest reason code or status: what the login waits for."""
    asked_at: float | None = None
    """When the request was sent that has no answer yet."""
    announced: bool = False
    """Written down as about to be submitted, and not submitted yet."""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    """Every token that this run received for the login: none may appear in any output."""
    sent: bool = False
    """Submitted in this run: never again in it."""
    is_out: bool = False
    """May have reached the utility: `connect` has left this process and was not refused as invalid or too early."""
    updating: bool = False
    connection_id: str | None = None
    context: Context | None = None
    """The status of the connection, as last told."""
    is_told: bool = False
    """Whether the status was asked for since the product was last not ready and since the last refresh."""
    refreshed: bool = False
    news_until: float = 0.0
    """Until when a refreshed session is waited for although there is data of the session before it."""
    has_data: bool = False
    """Whether there is data of an earlier session, in case nothing newer comes."""
    is_corrected: bool = False
    """A person has typed another password in this run: once, as a third wrong one could lock the account."""
    concern: Outcome | None = None
    """What is wrong with the latest submission although the token works."""
    place: Place | None = None
    """What its document holds until it is handed over."""
    waited: float | None = None
    """Seconds until its document was there."""
    is_delivered: bool = False
    files: Sequence[WantedFile] = ()
    """Files of bills that are asked for once the login has ended."""
    outcome: Outcome | None = None

    def note_request(self) -> None:
        """Note that a request for this login is being sent."""
        self.asked_at = waiting.time()


class Answers(Protocol):
    """Answers what a login waits for while it is being linked. A sync has none: there a question ends the login."""

    async def answered(self, run: Run, opening: Opening, link_token: str) -> bool:
        """Tell whether the status is worth another look: a person has answered, or the provider still works on it."""

    async def corrected(self, run: Run, opening: Opening) -> bool:
        """Tell whether a person has corrected a refused password, announced and ready to be submitted."""


@dataclass(slots=True)
class Run:
    """What all logins of one run share."""

    config: Config
    api: Api
    links: Links
    emit: Emit[Event]
    deadline: waiting.Deadline
    limit: RateLimit
    pace: waiting.Pace
    written: Callable[[], Awaitable[None]]
    """Returns when everything that `links` knows now has been written back into the configuration."""
    mask: Callable[[str], object]
    """Keeps a token out of every log line; called the moment a token is known."""
    now: Now
    """The wall clock, for the age of sessions."""
    chance: Callable[[], float]
    """A random number between 0 and 1, for jitter."""
    only_if_remembered: bool
    """True where a link that outgrows the secret store would be lost (Airbyte Cloud)."""
    answers: Answers | None = None
    retries: waiting.Retries = field(default_factory=waiting.Retries)
    waiting: int = 0
    """Number of connections that are being waited for now."""
    files: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_FILES_AT_ONCE))
    """Held by each file of a bill from its request until it was consumed: files are in memory, and must be few."""
    verdict: Outcome | None = None
    """What ended the whole run: refused keys, or a provider out of reach."""

    def ask(self, opening: Opening) -> Api:
        """Return the API for requests of a login, which notes when each is sent."""
        return self.api.noting(opening.note_request)


def learnt(run: Run, opening: Opening, token: str) -> str:
    """Keep a token out of all output from the moment it is known; returns it."""
    run.mask(token)
    opening.tokens += (token,)
    return token


def patiently(run: Run, opening: Opening | None, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    """Make a request that may be repeated: through every 429, and through a few failures of provider or network."""
    return _repeated(run, opening, call, run.retries)


def at_allowed_rate(run: Run, opening: Opening | None, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    """Make a request, and again after the pause the provider asks for whenever it answers 429."""
    return _repeated(run, opening, call, _NO_RETRIES)


_NO_RETRIES = waiting.Retries(attempts=1)


async def _repeated(run: Run, opening: Opening | None, call: Callable[[], Awaitable[T]], retries: waiting.Retries) -> T:
    """Make a request until it is answered; one frame for both ways, as thousands of logins wait in it at once."""
    failures = 0
    while True:
        try:
            value = await call()
        except Problem as problem:
            _note_answer(opening)
            if problem.meaning.then is Then.SLOW_DOWN:
                _note(opening, problem.reason)
                continue  # the rate limit holds this endpoint until it may be asked again
            failures += 1
            wait = retries.pause(failures, run.chance()) if problem.meaning.then is Then.RETRY else None
            if wait is None:
                raise
            _note(opening, problem.reason)
            await waiting.pause(max(wait, problem.retry_after or 0.0))
        else:
            _note_answer(opening)
            return value


def _note_answer(opening: Opening | None) -> None:
    if opening is not None:
        opening.asked_at = None  # not when the wait is cut off: the deadline tells whether the request hangs


def _note(opening: Opening | None, reason: str) -> None:
    if opening is not None:
        opening.reason = reason


def of_error(error: Exception) -> Outcome:
    """Return the outcome of a login that ended with an exception."""
    match error:
        case Ended():
            return error.outcome
        case Problem():
            return outcomes.of_problem(error)
        case _:
            return of_surprise(error)


def of_surprise(error: Exception) -> Outcome:
    """Return the outcome of a login that met an error of ours: type and place, never its text, which may hold data."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {PurePath(place.filename).stem}, line {place.lineno}"
    return outcomes.outcome("UNEXPECTED_ERROR_HERE", outcomes.UNKNOWN, where)


def of_deadline(opening: Opening) -> Outcome:
    """Return the outcome of a login that the deadline ended while it waited."""
    hanging = 0.0 if opening.asked_at is None else waiting.time() - opening.asked_at
    never_answered = opening.reason == NOT_ASKED_YET and opening.asked_at is not None
    return outcomes.of_wait("TIMEOUT" if never_answered or hanging >= _HANGING_SECONDS else opening.reason)


def ready_but(concern: Outcome) -> Outcome:
    """Return the outcome of a login whose data was delivered although something stands in the way of newer data."""
    message = f"The data of the last good session was delivered. {concern.message}"
    return Outcome(Status.READY, concern.actor, None, concern.reason, message, concern.detail)
