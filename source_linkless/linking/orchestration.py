"""One run over all configured logins: the keys first, then every login at once, and the tasks beside them.

    sync_all   opens every login and waits for its document; every login gets exactly one Finished
    check_all  tests keys and tokens; links at most one login, none where a link exists

Beside the logins run: the write-back of links (at most one message a second), a line of progress each minute with a
heartbeat every few, and the deadline. Time in which the consumer does not take an event is not counted as waiting.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airbyte_cdk.utils import is_cloud_environment

from source_linkless.clock import Now, utc_now
from source_linkless.concurrency import Emit, RateLimit, waiting
from source_linkless.config import Config, Links, Step, masking, parse_config
from source_linkless.errors import Problem, Then
from source_linkless.linking.events import (
    FEW_LOGINS,
    NOT_ASKED_YET,
    Event,
    LinksChanged,
    Moved,
    Progress,
    Waiting,
)
from source_linkless.linking.handshake import announce, open_connection, relink
from source_linkless.linking.opening import look_at, sync_login, test_keys, to_its_end, with_good_keys
from source_linkless.linking.running import Opening, Run, of_deadline, of_error, patiently
from source_linkless.provider import Api, Connection, HttpTransport
from source_linkless.provider.outcomes import PROVIDER_DOWN, READY, WORKING, Outcome, of_context, of_problem, outcome

WRITE_SECONDS = 0.8
"""Shortest time between two write-backs: a token is written within a second of its exchange."""
PROGRESS_SECONDS = 60.0
HEARTBEAT_EVERY = 5
"""Lines of progress per heartbeat: the platform may stop a sync that sends neither record nor state for long."""
_LOOK_SECONDS = 1.0
_SLOWEST = 3
_FEWEST_DOCUMENTS, _MOST_DOCUMENTS = 4, 16
"""In memory at once: as many as the rate limit can keep coming."""
_POLLING_SHARE = 0.8  # of the rate: what is left answers the requests that let others go first


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


def opened(raw: Mapping[str, Any], surroundings: Surroundings) -> tuple[Config, Links]:
    """Register every secret of a configuration for masking, then read it. Raises the config error of a mistake."""
    for secret in masking.secrets_in(raw):
        surroundings.mask(secret)
    config = parse_config(raw)
    return config, Links(config, surroundings.now, surroundings.new_salt)


class WriteBack:
    """Writes the links back: what changes together shares a message, and messages keep their distance."""

    def __init__(self, links: Links, emit: Emit[Event]) -> None:
        """Take what the configuration holds now as written."""
        self._links, self._emit = links, emit
        self._written = links.dump()
        self._last = -WRITE_SECONDS
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Return when everything the links know now was written."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._write())
        await asyncio.shield(self._next)

    async def _write(self) -> None:
        await waiting.pause(max(0.0, self._last + WRITE_SECONDS - waiting.time()))
        self._next, self._last = None, waiting.time()  # what changes from now on belongs to the next message
        text = self._links.dump()
        if text != self._written:
            await self._emit(LinksChanged(text), urgent=True)
            self._written = text


def new_run(config: Config, links: Links, surroundings: Surroundings, emit: Emit[Event], seconds: float) -> Run:
    """Put together what the logins of a run share; `seconds` is the longest it may wait."""
    rate, deadline = config.max_requests_per_second, waiting.Deadline(seconds)
    limit = RateLimit(rate, places=min(_MOST_DOCUMENTS, max(_FEWEST_DOCUMENTS, math.ceil(rate))))

    async def emitted(event: Event, *, urgent: bool = False) -> None:
        with deadline.held():
            await emit(event, urgent=urgent)

    return Run(
        config=config,
        api=Api(surroundings.new_transport(config), limit),
        links=links,
        emit=emitted,
        deadline=deadline,
        limit=limit,
        pace=waiting.Pace(config.poll_interval_seconds, rate * _POLLING_SHARE),
        written=WriteBack(links, emitted),
        mask=surroundings.mask,
        now=surroundings.now,
        chance=surroundings.chance,
        only_if_remembered=surroundings.is_cloud(),
    )


async def sync_all(config: Config, links: Links, surroundings: Surroundings, emit: Emit[Event]) -> None:
    """Open every login at once and emit documents as they become ready; the first ready goes first."""
    run = new_run(config, links, surroundings, emit, config.data_timeout_seconds)
    openings = [Opening(login, waiting.time()) for login in config.logins]
    with telling(openings, run.emit):
        await _test_keys_for(run)
        if not run.deadline.is_over():
            announce(run, openings)
        await asyncio.gather(*(sync_login(run, opening) for opening in openings))
        await run.written()


async def _test_keys_for(run: Run) -> None:
    """Test the keys before any login is submitted; where they are refused, every login ends with that verdict."""
    try:
        await test_keys(run)
    except Problem as problem:
        run.verdict = of_problem(problem)
        run.deadline.strike_now()
    except TimeoutError:
        pass  # the deadline ends every wait below as well


async def check_all(config: Config, links: Links, surroundings: Surroundings, emit: Emit[Event]) -> None:
    """Test the keys, then the chosen logins; emits a Finished for each. Raises Problem for keys or outage.

    A login without a link is linked and waited for until `Connected`; a connection that has a token is asked for its
    status and never linked again. Of a fleet at most one login is linked, and none when any link exists; its tokens
    are verified together, as far as the time goes.
    """
    run = new_run(config, links, surroundings, emit, config.check_timeout_seconds)
    try:
        await test_keys(run)
    except TimeoutError:
        raise Problem("TIMEOUT", PROVIDER_DOWN, detail="/test/api_keys") from None
    openings = _chosen(config, links)
    with telling(openings, run.emit):
        await asyncio.gather(*(_check_login(run, opening) for opening in openings))
        await run.written()


def _chosen(config: Config, links: Links) -> list[Opening]:
    """Choose what to check: the one login; of a fleet all with a token, or else the first that may be linked."""
    with_token = [login for login in config.logins if links.token(login)]
    linkable = [login for login in config.logins if links.step(login) is Step.LINK]
    chosen = config.logins if config.method != "fleet" else with_token or linkable[:1] or config.logins[:1]
    return [Opening(login, waiting.time()) for login in chosen]


async def _check_login(run: Run, opening: Opening) -> None:
    async def explained(error: Exception) -> Outcome:
        match error:
            case TimeoutError():
                return of_deadline(opening)
            case Problem():
                return with_good_keys(run, opening, error)
            case _:
                return of_error(error)

    await to_its_end(run, opening, lambda: _checked(run, opening), explained)


async def _checked(run: Run, opening: Opening) -> Outcome:
    token, is_fleet = run.links.token(opening.login), run.config.method == "fleet"
    if token and is_fleet:
        return await _verified(run, opening, Connection(token))  # an edited login of a fleet is left to the sync
    try:
        connection = await open_connection(run, opening)
        return (opening.concern or READY) if opening.sent else await _verified(run, opening, connection)
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK or is_fleet:
            raise
        await relink(run, opening, problem)
        return READY


async def _verified(run: Run, opening: Opening, connection: Connection) -> Outcome:
    """Ask for the status of a connection; where that is bad or unknown, whether it could still deliver data."""
    async with run.deadline.applied():
        context = await look_at(run, opening, connection)
        meaning = of_context(context.status, context.reason) if context else None
        if meaning is not None and meaning.then is not Then.STOP:
            return READY
        bad = outcome(context.reason or context.status, meaning) if context and meaning else opening.concern
        try:
            await patiently(run, opening, lambda: run.ask(opening).document(connection.access_token))
        except Problem as problem:
            if problem.meaning.then is not Then.WAIT:
                raise
            return bad or outcome(problem.reason, WORKING)
        return READY


@contextmanager
def telling(openings: list[Opening], emit: Emit[Event]) -> Iterator[None]:
    """Report how far the logins are while the block runs: each minute, and of a few logins every step."""
    beside = [asyncio.create_task(task) for task in _beside(openings, emit)]
    try:
        yield
    finally:
        for task in beside:
            task.cancel()


def _beside(openings: list[Opening], emit: Emit[Event]) -> list[Coroutine[Any, Any, None]]:
    minutes = itertools.count(1)
    seen: dict[str, str] = {}
    beside = [waiting.every(PROGRESS_SECONDS, lambda: emit(_progress(openings, next(minutes))))]
    if len(openings) <= FEW_LOGINS:
        beside.append(waiting.every(_LOOK_SECONDS, lambda: _tell_steps(openings, seen, emit)))
    return beside


def _progress(openings: list[Opening], minute: int) -> Progress:
    counts = Counter(opening.outcome.status.value if opening.outcome else "waiting" for opening in openings)
    slowest = heapq.nlargest(_SLOWEST, still_waiting(openings), key=lambda one: one.seconds)
    return Progress(dict(counts), tuple(slowest), heartbeat=minute % HEARTBEAT_EVERY == 0)


def still_waiting(openings: list[Opening]) -> list[Waiting]:
    """Return the logins that have not ended yet."""
    return [_waiting(opening) for opening in openings if opening.outcome is None]


def _waiting(opening: Opening) -> Waiting:
    return Waiting(opening.login.key, opening.reason, waiting.time() - opening.started)


async def _tell_steps(openings: list[Opening], seen: dict[str, str], emit: Emit[Event]) -> None:
    for one in still_waiting(openings):
        if seen.get(one.key, NOT_ASKED_YET) != one.reason:
            seen[one.key] = one.reason
            await emit(Moved(one))
