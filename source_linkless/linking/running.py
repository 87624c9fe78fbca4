"""One run and one login in it: what logins share, how requests are repeated, and where exceptions of a login end."""

import asyncio
import math
import random
import secrets
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Protocol, TypeVar

from airbyte_cdk.utils import is_cloud_environment

from source_linkless.clock import Now, utc_now
from source_linkless.concurrency import Emit, Place, RateLimit, waiting
from source_linkless.config import Config, Links, Login, masking, parse_config
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking.events import NOT_ASKED_YET, Echoes, Event, Finished, LinksChanged
from source_linkless.provider import Api, Context, HttpTransport, outcomes
from source_linkless.provider.outcomes import Outcome

T = TypeVar("T")

WRITE_SECONDS = 0.8
"""Shortest time between two write-backs: a token is written within a second of its exchange."""
_HANGING_SECONDS = 10.0  # a request that has had no answer for so long at the deadline counts as hanging


class Ended(Exception):  # noqa: N818 - an outcome, not an error
    """This login is over for this run."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything a run takes from outside: the network, the clocks, chance. Tests pass their own."""

    new_transport: Callable[[Config], Any] = HttpTransport
    """Makes a `provider.transport.Transport`."""
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    now: Now = utc_now
    chance: Callable[[], float] = random.random
    new_salt: Callable[[], str] = lambda: secrets.token_hex(8)
    is_cloud: Callable[[], bool] = is_cloud_environment
    mask: Callable[[str], object] = masking.register
    """Keeps a secret out of every log line; called the moment a token is known."""


def opened(raw: Mapping[str, Any], surroundings: Surroundings) -> tuple[Config, Links]:
    """Register every secret of a configuration for masking, then read it. Raises the config error of a mistake."""
    for secret in masking.secrets_in(raw):
        surroundings.mask(secret)
    config = parse_config(raw)
    return config, Links(config, surroundings.now, surroundings.new_salt)


class Answers(Protocol):
    """Answers what a login waits for while it is being linked. A sync has none: there a question ends the login."""

    async def answered(self, opening: "Opening", link_token: str) -> bool:
        """Tell whether the status is worth another look: a person has answered, or the provider still works on it."""

    async def corrected(self, opening: "Opening") -> bool:
        """Tell whether a person has corrected a refused password, announced and ready to be submitted."""


@dataclass(slots=True, repr=False)
class Wait:
    """What a login waits for."""

    reason: str = field(default=NOT_ASKED_YET, init=False)
    """The provider's latest reason code or status."""
    asked_at: float | None = field(default=None, init=False)
    """When the request was sent that has no answer yet; kept when the wait is cut off, to tell whether it hangs."""

    def note_request(self) -> None:
        """Note that a request is being sent."""
        self.asked_at = waiting.time()


class Run:
    """What all logins of one run share; `seconds` is the longest it may wait. What `links` holds now is written."""

    verdict: Outcome | None = None
    """What ended the whole run: refused keys, or a provider out of reach."""
    waiting = 0
    """Number of connections that are being waited for now."""

    def __init__(
        self, config: Config, links: Links, surroundings: Surroundings, emit: Emit[Event], seconds: float
    ) -> None:
        rate = config.max_requests_per_second
        self.config, self.links, self.surroundings = config, links, surroundings
        self.deadline = waiting.Deadline(seconds)
        self.limit = RateLimit(rate, places=min(16, max(4, math.ceil(rate))))  # as many as the rate can keep coming
        self.pace = waiting.Pace(config.poll_interval_seconds, rate * 0.8)  # the rest is for `later` requests
        self.api = Api(surroundings.new_transport(config), self.limit)
        self.files = asyncio.Semaphore(4)
        """Held by each file of a bill from its request until it was consumed: files are in memory, and must be few."""
        self._emit = emit
        self._written, self._last_write = links.dump(), -WRITE_SECONDS
        self._next_write: asyncio.Task[None] | None = None

    async def emit(self, event: Event, *, urgent: bool = False) -> None:
        """Hand an event to the consumer; the time that it takes does not count as waiting."""
        with self.deadline.held():
            await self._emit(event, urgent=urgent)

    async def written(self) -> None:
        """Return when all that the links know now was written back; what changes together shares a message."""
        if self._next_write is None:
            self._next_write = asyncio.get_running_loop().create_task(self._write())
        await asyncio.shield(self._next_write)

    async def _write(self) -> None:
        await waiting.pause(max(0.0, self._last_write + WRITE_SECONDS - waiting.time()))
        self._next_write, self._last_write = None, waiting.time()  # what changes from now on belongs to the next one
        text = self.links.dump()
        if text != self._written:
            await self.emit(LinksChanged(text), urgent=True)
            self._written = text

    async def ask(self, call: Callable[[Api], Awaitable[T]], wait: Wait | None = None, *, once: bool = False) -> T:
        """Make a request, again after every 429; unless `once`, also after a few failures of provider or network."""
        wait = wait or Wait()
        api, failures = self.api.noting(wait.note_request), 0
        while True:
            try:
                value = await call(api)
            except Problem as problem:
                wait.asked_at, pause = None, None
                if problem.meaning.then is Then.SLOW_DOWN:
                    pause = 0.0  # the rate limit holds the endpoint until it may be asked again
                elif problem.meaning.then is Then.RETRY and not once:
                    failures += 1
                    pause = waiting.pause_before_retry(failures, self.surroundings.chance())
                if pause is None:
                    raise
                wait.reason = problem.reason
                if pause:
                    await waiting.pause(max(pause, problem.retry_after or 0.0))
            else:
                wait.asked_at = None
                return value

    async def test_keys(self) -> None:
        """Test the keys; raises Problem when they are refused or the provider is out of reach, TimeoutError.

        The endpoint came late to the provider's description (API notes, section 1.2): without it, or with an answer
        that nothing can be learnt from, the run goes on, and each request is judged by itself.
        """
        try:
            async with self.deadline.applied():
                await self.ask(Api.test_keys)
        except TimeoutError:
            raise
        except Exception as error:
            if isinstance(error, Problem) and error.meaning.then in (Then.ASK_KEYS, Then.RETRY):
                raise


@dataclass(slots=True, repr=False)
class Opening(Wait):
    """One login in this run."""

    run: Run
    login: Login
    started: float = field(default_factory=waiting.time)
    """Seconds of the event loop, as all moments here."""
    answers: Answers | None = None
    token: str = ""
    """The access token of the connection, once there is one."""
    connection_id: str | None = None
    tokens: tuple[str, ...] = ()
    """Every token that this run received for the login: none may appear in any output."""
    announced: bool = False
    """Written down as about to be submitted, and not submitted yet."""
    sent: bool = False
    """Submitted in this run: never again in it."""
    is_out: bool = False
    """May have reached the utility: `connect` has left this process and was not refused as invalid or too early."""
    is_update: bool = False
    context: Context | None = None
    """The status of the connection, as last told."""
    is_told: bool = False
    """Whether the status was asked for since the product was last not ready and since the last refresh."""
    refreshed: bool = False
    news_until: float = 0.0
    """Until when a refreshed session is waited for although there is data of the session before it."""
    has_data: bool = False
    """Whether there is data of an earlier session, in case nothing newer comes."""
    concern: Outcome | None = None
    """What is wrong with the latest submission although the token works."""
    place: Place | None = None
    """What its document holds until it is handed over."""
    waited: float | None = None
    """Seconds until the document that was handed over was there."""
    outcome: Outcome | None = None

    def ask(self, call: Callable[[Api], Awaitable[T]], *, once: bool = False) -> Awaitable[T]:
        """Make a request for this login; see `Run.ask`."""
        return self.run.ask(call, self, once=once)

    def learn(self, token: str) -> str:
        """Keep a token out of all output from the moment it is known; returns it."""
        self.run.surroundings.mask(token)
        self.tokens += (token,)
        return token

    def seconds(self) -> float:
        """Return the seconds since this login began."""
        return waiting.time() - self.started

    def echoes(self) -> Echoes:
        """Return the secrets of this login, to be hidden in what is passed on."""
        known = self.run.config.secret, *self.tokens, self.run.links.token(self.login)
        return Echoes(self.login, [one for one in dict.fromkeys(known) if one])

    def give_back(self) -> None:
        """Give the place of its document back, if it holds one."""
        if self.place is not None:
            self.place.give_back()
            self.place = None

    def withdraw(self) -> None:
        """Take back the announcement of a login that was not submitted in the end."""
        if self.announced:
            self.announced = False
            self.run.links.withdraw(self.login)

    def outcome_of(self, error: Exception) -> Outcome:
        """Return the outcome of an exception that came after the test of the keys: a 401 is about this login alone."""
        match error:
            case Ended():
                return error.outcome
            case TimeoutError():
                hanging = 0.0 if self.asked_at is None else waiting.time() - self.asked_at
                never_answered = self.reason == NOT_ASKED_YET and self.asked_at is not None
                is_hanging = never_answered or hanging >= _HANGING_SECONDS
                return outcomes.of_wait("TIMEOUT" if is_hanging else self.reason)
            case Problem() if error.meaning.then is Then.ASK_KEYS:
                meaning = outcomes.TOKEN if self.run.links.token(self.login) else outcomes.NOT_ALLOWED
                return outcomes.outcome(error.reason, meaning, error.detail)
            case Problem():
                return outcomes.of_problem(error)
            case _:
                return of_surprise(error)

    async def to_its_end(
        self,
        work: Callable[[], Awaitable[Outcome]],
        explained: Callable[[Exception], Awaitable[Outcome]] | None = None,
    ) -> Finished:
        """Bring this login to its outcome, report and return it. Exceptions of any kind end here and nowhere else.

        `work` returns the outcome, `explained` makes one of what `work` raised. Data that was delivered stays
        delivered: what was raised after it becomes a concern.
        """
        try:
            self.outcome = await work()
        except Exception as error:  # noqa: BLE001 - whatever happens to one login must not cost the others
            try:
                result = await explained(error) if explained else self.outcome_of(error)
            except Exception as another:  # noqa: BLE001 - as above
                result = of_surprise(another)
            self.outcome = result if self.waited is None else ready_but(result)
        waited = self.seconds() if self.waited is None else self.waited
        try:
            self.withdraw()
            echoes = self.echoes()
            outcome, context = echoes.hidden(self.outcome), self.context and echoes.hidden(self.context)
            end = Finished(self.login, outcome, echoes.text(self.connection_id), context, waited)
        except Exception as error:  # noqa: BLE001 - as above
            end = Finished(self.login, of_surprise(error), None, None, waited)
        await self.run.emit(end)
        return end


def of_surprise(error: Exception) -> Outcome:
    """Return the outcome of a login that met an error of ours: type and place, never its text, which may hold data."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {PurePath(place.filename).stem}, line {place.lineno}"
    return outcomes.own("UNEXPECTED_ERROR_HERE", where)


def ready_but(concern: Outcome) -> Outcome:
    """Return the outcome of a login whose data was delivered although something stands in the way of newer data."""
    message = f"The data of the last good session was delivered. {concern.message}"
    return Outcome(Status.READY, concern.actor, None, concern.reason, message, concern.detail)
