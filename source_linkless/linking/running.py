"""What the logins of one run share, one login on its way, and the two ways to repeat a request.

patiently        reads: through every 429, and a few times through failures of the provider or the network
at_allowed_rate  anything: through every 429, which the provider answers before it does anything
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TypeVar

from source_linkless.clock import Now
from source_linkless.concurrency.waiting import Deadline, Pace, Place, RateLimit, Retries, pause
from source_linkless.config import Config, Links, Login
from source_linkless.errors import Problem, Then
from source_linkless.linking.asking import Person
from source_linkless.provider.api import Api, Context
from source_linkless.provider.outcomes import UNKNOWN, Outcome, of_problem, outcome

T = TypeVar("T")

NOT_ASKED_YET = "NOT_ASKED_YET"
"""Word of a login whose turn has not come: the deadline can strike before it."""


class Ended(Exception):  # noqa: N818 - an outcome, not an error
    """This login is over for this run."""

    def __init__(self, outcome: Outcome) -> None:
        """Carry the outcome."""
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(slots=True)
class Opening:
    """One login on its way in this run."""

    login: Login
    started: float
    reason: str = NOT_ASKED_YET
    """The provider's latest word: what a wait is about, and the reason of a row that stays pending."""
    announced: bool = False
    """Written down as about to be submitted, and not submitted yet."""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    """Every token that this run was given for the login: none is said again."""
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
    """Until when a refreshed session is waited for although there is data of the one before it."""
    has_data: bool = False
    """Data of an earlier session is there, should nothing newer come."""
    answered: str | None = None
    """The status that a person answered last, and `patience`: how often it may be seen again before it asks again."""
    patience: int = 0
    answers: int = 0
    wrong_answers: int = 0
    is_corrected: bool = False
    """A person has typed another password in this run: once, as a third wrong one could lock the account."""
    concern: Outcome | None = None
    """What is wrong with the latest submission although the token works."""
    place: Place | None = None
    """What its document holds until it is handed over."""
    outcome: Outcome | None = None


@dataclass(slots=True)
class Run:
    """What all logins of one run share."""

    config: Config
    api: Api
    links: Links
    deadline: Deadline
    limit: RateLimit
    pace: Pace
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
    person: Person | None = None
    """Who answers what a login asks; None in a sync, where every question ends the login."""
    retries: Retries = field(default_factory=Retries)
    waiting: int = 0
    """Connections that are being waited for now."""


def learnt(run: Run, opening: Opening, token: str) -> str:
    """Keep a token out of everything that is said from the moment it is known; returns it."""
    run.mask(token)
    opening.tokens += (token,)
    return token


def patiently(run: Run, opening: Opening | None, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    """Make a request that may be repeated: through every 429, and through a few failures of provider or network."""
    return _repeated(run, opening, call, run.retries)


def at_allowed_rate(run: Run, opening: Opening | None, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
    """Make a request, and again after the pause the provider asks for whenever it answers 429."""
    return _repeated(run, opening, call, _NO_RETRIES)


_NO_RETRIES = Retries(attempts=1)


async def _repeated(run: Run, opening: Opening | None, call: Callable[[], Awaitable[T]], retries: Retries) -> T:
    """Make a request until it is answered; one frame for both ways, as thousands stand here at once."""
    failures = 0
    while True:
        try:
            return await call()
        except Problem as problem:
            if problem.meaning.then is Then.SLOW_DOWN:
                _note(opening, problem.reason)
                continue  # the rate limit holds this endpoint until it may be asked again
            failures += 1
            wait = retries.pause(failures, run.chance()) if problem.meaning.then is Then.RETRY else None
            if wait is None:
                raise
            _note(opening, problem.reason)
            await pause(max(wait, problem.retry_after or 0.0))


def _note(opening: Opening | None, reason: str) -> None:
    if opening is not None:
        opening.reason = reason


def of_error(error: Exception) -> Outcome:
    """Make the outcome of a login that ended with an exception."""
    match error:
        case Ended():
            return error.outcome
        case Problem():
            return of_problem(error)
        case _:
            return of_surprise(error)


def of_surprise(error: Exception) -> Outcome:
    """Make the outcome of a login that met an error of ours: type and place, never its text, which may hold data."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {PurePath(place.filename).stem}, line {place.lineno}"
    return outcome("UNEXPECTED_ERROR_HERE", UNKNOWN, where)
