"""One run and one login in it: what logins share, how requests are repeated, and where exceptions of a login end."""

import asyncio
import math
import random
import secrets
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, TypeVar

from airbyte_cdk.utils import is_cloud_environment

from source_linkless.clock import Now, utc_now
from source_linkless.concurrency import Emit, RateLimit, waiting
from source_linkless.config import Config, Links, Login, masking, parse_config
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking.events import NOT_ASKED_YET, Echoes, Event, Finished, LinksChanged, WantedFile
from source_linkless.provider import Api, Context, HttpTransport, outcomes
from source_linkless.provider.outcomes import Outcome

T = TypeVar("T")

WRITE_SECONDS = 0.8  # shortest time between two write-backs: a token is written within a second of its exchange
_HANGING_SECONDS = 10.0  # a request that has had no answer for so long at the deadline counts as hanging


@dataclass(eq=False)
class Ended(Exception):  # noqa: N818 - an outcome, not an error
    """This login is over for this run."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything a run takes from outside: the network, the clocks, chance. Tests pass their own."""

    new_transport: Callable[[Config], Any] = HttpTransport  # makes a `provider.transport.Transport`
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    now: Now = utc_now
    chance: Callable[[], float] = random.random
    new_salt: Callable[[], str] = lambda: secrets.token_hex(8)
    is_cloud: Callable[[], bool] = is_cloud_environment
    mask: Callable[[str], object] = masking.register  # keeps a secret out of every log line; called once it is known


def opened(raw: Mapping[str, Any], surroundings: Surroundings) -> tuple[Config, Links]:
    """Register every secret of a configuration for masking, then read it. Raises the config error of a mistake."""
    for secret in masking.secrets_in(raw):
        surroundings.mask(secret)
    config = parse_config(raw)
    return config, Links(config, surroundings.now, surroundings.new_salt)


async def _ignored(event: Event, *, urgent: bool = False) -> None:
    """Drop what a run reports."""


class Run:
    """What all logins of one run share; `seconds` is the longest it may wait. What `links` holds now is written.

    `verdict` is what ended the whole run: refused keys, or a provider out of reach. `waiting` is the number of
    connections that are being waited for now. A file of a bill holds `files` from its request until it was consumed:
    files are in memory, and must be few.
    """

    def __init__(
        self, config: Config, links: Links, surroundings: Surroundings, seconds: float, emit: Emit[Event] = _ignored
    ) -> None:
        rate = config.max_requests_per_second
        self.config, self.links, self.surroundings = config, links, surroundings
        self.verdict: Outcome | None = None
        self.waiting = 0
        self.deadline = waiting.Deadline(seconds)
        self.limit = RateLimit(rate, places=min(16, max(4, math.ceil(rate))))  # as many as the rate can keep coming
        self.pace = waiting.Pace(config.poll_interval_seconds, rate * 0.8)  # the rest is for `later` requests
        self.api = Api(surroundings.new_transport(config), self.limit)
        self.files = asyncio.Semaphore(4)
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

    async def ask(self, call: Callable[[Api], Awaitable[T]]) -> T:
        """Make a request that no login waits for, until the deadline; see `Wait.ask`. Raises TimeoutError."""
        async with self.deadline.applied():
            return await Wait(self).ask(call)

    async def test_keys(self) -> None:
        """Test the keys; raises Problem when they are refused or the provider is out of reach, TimeoutError.

        The endpoint came late to the provider's description (API notes, section 1.2): without it, or with an answer
        that nothing can be learnt from, the run goes on, and each request is judged by itself.
        """
        try:
            await self.ask(Api.test_keys)
        except Exception as error:
            told = isinstance(error, Problem) and error.meaning.then
            if told in (Then.ASK_KEYS, Then.RETRY) or isinstance(error, TimeoutError):
                raise


@dataclass(slots=True, repr=False)
class Wait:
    """Requests of a run that come one after the other, and what they wait for."""

    run: Run
    reason: str = field(default=NOT_ASKED_YET, init=False)  # the provider's latest reason code or status
    # When the request was sent that has no answer yet; kept when the wait is cut off, to tell whether it hangs.
    asked_at: float | None = field(default=None, init=False)

    def note_request(self) -> None:
        """Note that a request is being sent."""
        self.asked_at = waiting.time()

    async def ask(self, call: Callable[[Api], Awaitable[T]], *, once: bool = False) -> T:
        """Make a request, again after every 429; unless `once`, also after a few failures of provider or network."""
        api, failures = self.run.api.noting(self.note_request), 0
        while True:
            try:
                value = await call(api)
            except Problem as problem:
                self.asked_at, pause = None, None
                if problem.meaning.then is Then.RETRY and not once:
                    failures += 1
                    pause = waiting.pause_before_retry(failures, self.run.surroundings.chance())
                if pause is None and problem.meaning.then is not Then.SLOW_DOWN:
                    raise
                self.reason = problem.reason
                if pause:  # else the rate limit holds the endpoint until it may be asked again
                    await waiting.pause(max(pause, problem.retry_after or 0.0))
            else:
                self.asked_at = None
                return value


@dataclass(slots=True, repr=False)
class Opening(Wait):
    """One login in this run. All moments are seconds of the event loop.

    `answers` has a person answer what a login waits for while it is being linked. It returns WAIT when the status is
    worth another look, RETRY when a corrected password is ready to be submitted, else STOP. A sync has none: there a
    question ends the login.
    """

    login: Login
    started: float = field(default_factory=waiting.time)
    answers: Callable[["Opening", str], Awaitable[Then]] | None = None
    token: str = ""  # the access token of the connection, once there is one
    connection_id: str | None = None
    tokens: tuple[str, ...] = ()  # every token that this run received for the login: none may appear in any output
    announced: bool = False  # written down as about to be submitted, and not submitted yet
    sent: bool = False  # submitted in this run: never again in it
    is_out: bool = False  # may have reached the utility: `connect` was sent and not refused as invalid or too early
    is_update: bool = False
    context: Context | None = None  # the status of the connection, as last told
    is_told: bool = False  # the status was asked for since the product was last not ready and since the last refresh
    refreshed: bool = False
    news_until: float = 0.0  # until when a refreshed session is waited for although there is data of the one before it
    has_data: bool = False  # there is data of an earlier session, in case nothing newer comes
    concern: Outcome | None = None  # what is wrong with the latest submission although the token works
    has_place: bool = False  # its document is in memory until it is handed over
    waited: float | None = None  # seconds until the document that was handed over was there
    files: Sequence[WantedFile] = ()  # what to ask for after its end
    outcome: Outcome | None = None

    def learn(self, token: str) -> str:
        """Keep a token out of all output from the moment it is known; returns it."""
        self.run.surroundings.mask(token)
        self.tokens += (token,)
        return token

    def echoes(self) -> Echoes:
        """Return the secrets of this login, to be hidden in what is passed on."""
        known = self.run.config.secret, *self.tokens, self.run.links.token(self.login)
        return Echoes(self.login, [one for one in dict.fromkeys(known) if one])

    def hold_place(self) -> None:
        """Hold a place for its document: there is an answer."""
        self.run.limit.places -= not self.has_place
        self.has_place = True

    def give_back(self) -> None:
        """Give the place of its document back, if it holds one."""
        self.run.limit.places += self.has_place
        self.has_place = False
        self.run.limit.serve()

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
                asked_at, least = self.asked_at, 0.0 if self.reason == NOT_ASKED_YET else _HANGING_SECONDS
                is_hanging = asked_at is not None and waiting.time() - asked_at >= least
                return outcomes.of_wait("TIMEOUT" if is_hanging else self.reason)
            case Problem() if error.meaning.then is Then.ASK_KEYS:
                meaning = outcomes.TOKEN if self.run.links.token(self.login) else outcomes.NOT_ALLOWED
                return outcomes.outcome(error.reason, meaning, error.detail)
            case Problem():
                return outcomes.of_problem(error)
            case _:
                return of_surprise(error)

    async def to_its_end(self, work: Callable[[], Awaitable[Outcome]]) -> Finished:
        """Bring this login to the outcome that `work` returns, report and return it.

        Exceptions of any kind end here and nowhere else. Data that was delivered stays delivered: what was raised
        after it becomes a concern.
        """
        try:
            self.outcome = await work()
        except Exception as error:  # noqa: BLE001 - whatever happens to one login must not cost the others
            result = self.outcome_of(error)
            self.outcome = result if self.waited is None else ready_but(result)
        waited = waiting.time() - self.started if self.waited is None else self.waited
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
