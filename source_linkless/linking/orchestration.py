"""One run over all configured logins: the keys first, then every login at once, and the tasks beside them.

    sync_all   opens every login and waits for its document; every login gets exactly one Finished
    check_all  proves keys and tokens; links at most one login, none where a link exists

Beside the logins run: the write-back of links (at most one message a second), a line of progress each minute with a
heartbeat every few, and the deadline.
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
from source_linkless.concurrency.handover import Emit
from source_linkless.concurrency.waiting import Deadline, Pace, RateLimit, every, pause, time
from source_linkless.config import Config, Links, masking, parse_config
from source_linkless.errors import Problem
from source_linkless.linking.events import FEW_LOGINS, Event, LinksChanged, Moved, Progress, Waiting
from source_linkless.linking.handshake import announce
from source_linkless.linking.opening import Sync, sync_login, test_keys
from source_linkless.linking.running import NOT_ASKED_YET, Opening, Run
from source_linkless.provider.api import Api
from source_linkless.provider.outcomes import of_problem
from source_linkless.provider.transport import HttpTransport, Transport

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

    new_transport: Callable[[Config], Transport] = HttpTransport
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
        await pause(max(0.0, self._last + WRITE_SECONDS - time()))
        self._next, self._last = None, time()  # what changes from now on belongs to the next message
        text = self._links.dump()
        if text != self._written:
            await self._emit(LinksChanged(text), urgent=True)
            self._written = text


def new_run(config: Config, links: Links, surroundings: Surroundings, emit: Emit[Event], seconds: float) -> Run:
    """Put together what the logins of a run share; `seconds` is the longest it may wait."""
    rate = config.max_requests_per_second
    limit = RateLimit(rate, places=min(_MOST_DOCUMENTS, max(_FEWEST_DOCUMENTS, math.ceil(rate))))
    return Run(
        config=config,
        api=Api(surroundings.new_transport(config), limit),
        links=links,
        deadline=Deadline(seconds),
        limit=limit,
        pace=Pace(config.poll_interval_seconds, rate * _POLLING_SHARE),
        written=WriteBack(links, emit),
        mask=surroundings.mask,
        now=surroundings.now,
        chance=surroundings.chance,
        only_if_remembered=surroundings.is_cloud(),
    )


async def sync_all(config: Config, links: Links, surroundings: Surroundings, emit: Emit[Event]) -> None:
    """Open every login at once and emit documents as they become ready; the first ready goes first."""
    run = new_run(config, links, surroundings, emit, config.data_timeout_seconds)
    openings = [Opening(login, time()) for login in config.logins]
    sync = Sync(run, emit)
    with telling(openings, emit):
        await _open_all(sync, openings)
        await run.written()


async def _open_all(sync: Sync, openings: list[Opening]) -> None:
    try:
        await test_keys(sync.run)
    except Problem as problem:
        sync.verdict = of_problem(problem)
        sync.run.deadline.strike_now()
    except TimeoutError:
        pass  # the deadline ends every wait below as well
    if not sync.run.deadline.is_over():
        announce(sync.run, openings)
    async with asyncio.TaskGroup() as tasks:
        for opening in openings:
            tasks.create_task(sync_login(sync, opening))


@contextmanager
def telling(openings: list[Opening], emit: Emit[Event]) -> Iterator[None]:
    """Tell how far the logins are while the block runs: each minute, and of a few logins every step."""
    beside = [asyncio.create_task(task) for task in _beside(openings, emit)]
    try:
        yield
    finally:
        for task in beside:
            task.cancel()


def _beside(openings: list[Opening], emit: Emit[Event]) -> list[Coroutine[Any, Any, None]]:
    minutes = itertools.count(1)
    seen: dict[str, str] = {}
    beside = [every(PROGRESS_SECONDS, lambda: emit(_progress(openings, next(minutes))))]
    if len(openings) <= FEW_LOGINS:
        beside.append(every(_LOOK_SECONDS, lambda: _tell_steps(openings, seen, emit)))
    return beside


def _progress(openings: list[Opening], minute: int) -> Progress:
    counts = Counter(opening.outcome.status.value if opening.outcome else "waiting" for opening in openings)
    waiting = [_waiting(opening) for opening in openings if opening.outcome is None]
    slowest = heapq.nlargest(_SLOWEST, waiting, key=lambda one: one.seconds)
    return Progress(dict(counts), tuple(slowest), heartbeat=minute % HEARTBEAT_EVERY == 0)


def _waiting(opening: Opening) -> Waiting:
    return Waiting(opening.login.key, opening.reason, time() - opening.started)


async def _tell_steps(openings: list[Opening], seen: dict[str, str], emit: Emit[Event]) -> None:
    for opening in openings:
        if opening.outcome is None and seen.get(opening.login.key, NOT_ASKED_YET) != opening.reason:
            seen[opening.login.key] = opening.reason
            await emit(Moved(_waiting(opening)))
