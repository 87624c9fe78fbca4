"""All logins of a sync at once: login ──► connection ──► document, and every wait on the way.

    opened ──► product asked ──► PRODUCT_NOT_READY ──► asked again, at the pace of `waiting.Pace`
                  │                    └─ now and then /connection/context: still working, ended, or needs a person
                  └─► document ──► handed over ──► /connection/context for the health row ──► Finished
    deadline, refused keys: every wait ends at once, every login still gets its Finished

One task per login on one event loop; a pause costs no thread. Memory is bounded by the slots: a slot is taken before
the product is asked and given back with a "not ready", or when the consumer has dealt with the document.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from source_linkless.concurrency.handover import Emit
from source_linkless.concurrency.waiting import pause, time
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking.echoes import delivered, finished
from source_linkless.linking.events import Event
from source_linkless.linking.handshake import open_connection, relink, withdraw
from source_linkless.linking.refreshing import is_outdated, look_at, may_refresh, refresh, refresh_if_old
from source_linkless.linking.running import Ended, Opening, Run, of_error, patiently
from source_linkless.provider.api import Connection
from source_linkless.provider.bodies import Body
from source_linkless.provider.outcomes import (
    BROKEN,
    KEYS,
    READY,
    TOKEN,
    Outcome,
    of_context,
    of_problem,
    of_wait,
    outcome,
)
from source_linkless.provider.transport import IO_THREADS

_ERROR_HOURS = 6.0  # a session that ended in `Error` is not repeated at once (API notes, section 11)
_LOOKS_PER_CONTEXT, _FIRST_CONTEXT = 4, 2  # a first look is for everybody before anything else is asked


@dataclass(slots=True)
class Sync:
    """What the logins of one sync share besides the run: the way out, and the slots for documents."""

    run: Run
    emit: Emit[Event]
    slots: asyncio.Semaphore
    verdict: Outcome | None = None
    """What ended the whole run: refused keys, or a provider out of reach."""


def new_sync(run: Run, emit: Emit[Event]) -> Sync:
    """Prepare a sync; as many documents may be in memory as the rate limit can keep coming."""
    slots = min(IO_THREADS, max(4, math.ceil(run.config.max_requests_per_second)))
    return Sync(run, emit, asyncio.Semaphore(slots))


async def sync_login(sync: Sync, opening: Opening) -> None:
    """Bring one login to its end: hand over its document if there is one, then its outcome. Raises nothing."""
    body = None
    try:
        body = await _document(sync, opening)
    except Exception as error:  # noqa: BLE001 - whatever happens to one login must not cost the others
        opening.outcome = await _outcome_of(sync, opening, error)
    waited = time() - opening.started
    if body is not None:
        try:
            await sync.emit(delivered(sync.run, opening, body))
        finally:
            del body
            sync.slots.release()
        opening.outcome = await _health(sync, opening)
    if opening.outcome and opening.outcome.status is Status.NEEDS_USER:
        sync.run.links.refuse(opening.login, opening.outcome.reason or "")
    withdraw(sync.run, opening)
    await sync.emit(finished(sync.run, opening, opening.outcome or READY, waited))


async def _outcome_of(sync: Sync, opening: Opening, error: Exception) -> Outcome:
    match error:
        case _ if sync.verdict:
            return sync.verdict
        case Problem() if error.meaning.then is Then.ASK_KEYS:
            return await _judge_keys(sync, opening, error)
        case TimeoutError():
            return opening.concern or of_wait(opening.reason)
        case _:
            return of_error(error)


async def _judge_keys(sync: Sync, opening: Opening, problem: Problem) -> Outcome:
    """After a 401: refused keys end the whole run at once, else only this connection is at fault."""
    try:
        await test_keys(sync.run)
    except Problem as refusal:
        if refusal.meaning.then is Then.ASK_KEYS:
            sync.verdict = of_problem(refusal)
            sync.run.deadline.strike_now()
        return of_problem(refusal)
    except TimeoutError:
        return sync.verdict or of_problem(problem)
    has_token = sync.run.links.token(opening.login) is not None
    return outcome(problem.reason, TOKEN if has_token else KEYS, problem.detail)


async def test_keys(run: Run) -> None:
    """Prove the keys; raises Problem when they are refused or the provider is out of reach."""
    try:
        async with run.deadline.applied():
            await patiently(run, None, run.api.test_keys)
    except Problem as problem:
        if problem.meaning.then in (Then.ASK_KEYS, Then.RETRY):
            raise
        # An endpoint that came late to the provider's description (API notes, section 1.2): without it we go on.


def with_good_keys(problem: Problem) -> Outcome:
    """Make the outcome of a problem that came after the keys were proven: a 401 is the token's fault alone."""
    is_about_keys = problem.meaning.then is Then.ASK_KEYS
    return outcome(problem.reason, TOKEN, problem.detail) if is_about_keys else of_problem(problem)


async def _document(sync: Sync, opening: Opening) -> Body:
    """Return the body of a connection's document, holding a slot for it."""
    try:
        connection = await open_connection(sync.run, opening)
        return await _document_of(sync, opening, connection)
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        connection = await relink(sync.run, opening, problem)
        return await _document_of(sync, opening, connection)


async def _document_of(sync: Sync, opening: Opening, connection: Connection) -> Body:
    run, since, looks = sync.run, math.inf, 0
    opening.connection_id = connection.connection_id or opening.connection_id
    run.waiting += 1
    try:
        async with run.deadline.applied():
            await refresh_if_old(run, opening, connection)
            while (body := await _newest(sync, opening, connection)) is None:
                since, looks = min(since, time()), looks + 1
                if looks % _LOOKS_PER_CONTEXT == _FIRST_CONTEXT and not opening.has_data:
                    await _end_if_hopeless(run, opening, connection)
                await pause(run.pace.pause(time() - since, run.waiting))
            return body
    finally:
        run.waiting -= 1


async def _newest(sync: Sync, opening: Opening, connection: Connection) -> Body | None:
    """Ask once for the document; None as well while a refresh is about to bring a newer one."""
    body = await _ask_product(sync, opening, connection)
    if body is None:
        return None
    is_kept = False
    try:
        is_kept = not await is_outdated(sync.run, opening, connection)
    finally:
        if not is_kept:
            sync.slots.release()
    return body if is_kept else None


async def _ask_product(sync: Sync, opening: Opening, connection: Connection) -> Body | None:
    """Ask once for the document; None while it is being prepared. A document keeps its slot."""

    async def ask() -> Body:
        await sync.slots.acquire()
        try:
            return await sync.run.api.document(connection.access_token)
        except BaseException:
            sync.slots.release()
            raise

    try:
        return await patiently(sync.run, opening, ask)
    except Problem as problem:
        if problem.meaning.then is not Then.WAIT and not await _is_repeated(sync.run, opening, connection, problem):
            raise
        opening.reason = problem.reason
        return None


async def _is_repeated(run: Run, opening: Opening, connection: Connection, problem: Problem) -> bool:
    """Have a session that ended in an error repeated when that is long enough ago; tell whether it was."""
    if problem.meaning is not BROKEN or opening.refreshed or opening.sent:
        return False
    context = await look_at(run, opening, connection)
    if context is None or not may_refresh(run, opening, context, _ERROR_HOURS):
        return False
    await refresh(run, opening, connection)
    return True


async def _end_if_hopeless(run: Run, opening: Opening, connection: Connection) -> None:
    """Tell "still working" from "ended without data" and "needs a person", which waiting does not cure."""
    context = await look_at(run, opening, connection)
    if context is None:
        if opening.concern:
            raise Ended(opening.concern)
        return
    meaning = of_context(context.status, context.reason)
    if meaning.then is not Then.STOP:
        return
    if meaning is BROKEN and may_refresh(run, opening, context, _ERROR_HOURS):
        await refresh(run, opening, connection)
        return
    raise Ended(outcome(context.reason or context.status, meaning))


async def _health(sync: Sync, opening: Opening) -> Outcome:
    """Judge a connection whose document was delivered: what its latest session says about the next one."""
    token = sync.run.links.token(opening.login) or ""
    try:
        async with sync.run.deadline.applied():
            context = await look_at(sync.run, opening, Connection(token), later=True)
    except (Problem, TimeoutError):
        context = None
    if context is not None:
        meaning = of_context(context.status, context.reason)
        is_unfinished = opening.refreshed and meaning.then is Then.WAIT
        if meaning.status is Status.NEEDS_USER:
            sync.run.links.refuse(opening.login, context.reason or "")
        if meaning.status is Status.NEEDS_USER or meaning is BROKEN or is_unfinished:
            return _ready_but(outcome(context.reason or context.status, meaning))
        if not opening.sent and not opening.refreshed:
            sync.run.links.recovered(opening.login, context.since)
    if opening.concern and (context is None or opening.sent or opening.refreshed):
        return _ready_but(opening.concern)
    return READY


def _ready_but(concern: Outcome) -> Outcome:
    """The data is there, yet something stands in the way of newer data."""
    message = f"The data of the last good session was delivered. {concern.message}"
    return Outcome(Status.READY, concern.actor, None, concern.reason, message, concern.detail)
