"""All logins of a sync at once: login ──► connection ──► document, and every wait on the way.

    linked in this run ─────────────────────────────┐
    has a token ──► status ──► Connected ───────────┴──► product ──► PRODUCT_NOT_READY ──► polled with backoff
                      │  └─ Connecting: polled every     │            └─ every few polls the status again
                      │     poll_interval_seconds        └─► document ──► handed over ──► Finished
                      └─ ended or needs a person: product asked once, then Finished
    deadline, refused keys: every wait ends at once, every login still gets its Finished

One task per login on one event loop; a pause costs no thread. Memory is bounded by places for documents (see
`waiting.Place`): a document gives its place back when the consumer has dealt with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from source_linkless.concurrency.handover import Emit
from source_linkless.concurrency.waiting import Place, pause, time
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking.echoes import delivered, finished
from source_linkless.linking.events import Event, Receipt
from source_linkless.linking.handshake import open_connection, relink, withdraw
from source_linkless.linking.refreshing import is_outdated, look_at, may_refresh, refresh, refresh_if_old
from source_linkless.linking.running import Ended, Opening, Run, of_error, patiently
from source_linkless.provider.api import Connection, Context
from source_linkless.provider.bodies import Body
from source_linkless.provider.outcomes import (
    BROKEN,
    NOT_ALLOWED,
    READY,
    TOKEN,
    Outcome,
    of_context,
    of_problem,
    of_wait,
    outcome,
)

_ERROR_HOURS = 6.0  # a session that ended in `Error` is not repeated at once (API notes, section 11)
_POLLS_PER_STATUS = 4
_POLLS_BEFORE_FIRST_STATUS = 2  # of a login that was linked in this run, or whose status could not be had
_IN_PROGRESS = "New", "Connecting"
"""`connection_status` of a login that has not been accepted yet (API notes, section 3.1)."""


@dataclass(slots=True)
class Sync:
    """What the logins of one sync share besides the run."""

    run: Run
    emit: Emit[Event]
    verdict: Outcome | None = None
    """What ended the whole run: refused keys, or a provider out of reach."""


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
            event = delivered(sync.run, opening, body)
            receipt = event.receipt
            await sync.emit(event)
        finally:
            del body, event
            _give_back(opening)
        opening.outcome = await _health(sync, opening, receipt)
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
        if sync.verdict:
            return sync.verdict
    return with_good_keys(problem, has_token=sync.run.links.token(opening.login) is not None)


async def test_keys(run: Run) -> None:
    """Prove the keys; raises Problem when they are refused or the provider is out of reach."""
    try:
        async with run.deadline.applied():
            await patiently(run, None, run.api.test_keys)
    except Problem as problem:
        if problem.meaning.then in (Then.ASK_KEYS, Then.RETRY):
            raise
        # An endpoint that came late to the provider's description (API notes, section 1.2): without it we go on.


def with_good_keys(problem: Problem, *, has_token: bool = True) -> Outcome:
    """Return the outcome of a problem that came after the keys were proven: a 401 is then about this login alone."""
    if problem.meaning.then is not Then.ASK_KEYS:
        return of_problem(problem)
    return outcome(problem.reason, TOKEN if has_token else NOT_ALLOWED, problem.detail)


async def _document(sync: Sync, opening: Opening) -> Body:
    """Return the body of a connection's document, which holds a place."""
    try:
        connection = await open_connection(sync.run, opening)
        return await _document_of(sync, opening, connection)
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        connection = await relink(sync.run, opening, problem)
        return await _document_of(sync, opening, connection)


async def _document_of(sync: Sync, opening: Opening, connection: Connection) -> Body:
    opening.connection_id = connection.connection_id or opening.connection_id
    sync.run.waiting += 1
    try:
        async with sync.run.deadline.applied():
            return await _polled(sync, opening, connection, await _status_first(sync.run, opening, connection))
    finally:
        sync.run.waiting -= 1


async def _status_first(run: Run, opening: Opening, connection: Connection) -> Context | None:
    """Wait until the status of a connection that has its token from an earlier run is no longer in progress.

    Returns None when the product is to be asked without it: the login was linked in this run, which polled the link
    status; the provider does not tell the status; or a refresh was sent.
    """
    if opening.sent and opening.connection_id:
        return None
    started = time()
    while context := await look_at(run, opening, connection):
        if context.status not in _IN_PROGRESS or of_context(context.status, context.reason).then is not Then.WAIT:
            return None if await refresh_if_old(run, opening, connection, context) else context
        opening.reason = context.reason or context.status
        await pause(run.pace.between_status_polls(time() - started, run.waiting))
    return None


async def _polled(sync: Sync, opening: Opening, connection: Connection, context: Context | None) -> Body:
    """Poll the product until there is a document. `context` is the status told before, None when it is not known."""
    run, since, is_first = sync.run, math.inf, context is not None
    is_over = context is not None and of_context(context.status, context.reason).then is Then.STOP
    until_status = _POLLS_PER_STATUS if context else _POLLS_BEFORE_FIRST_STATUS
    while (body := await _newest(sync, opening, connection, is_first=is_first)) is None:
        if context and is_over and not opening.refreshed:
            await _end_or_refresh(run, opening, connection, context)
        is_first, since, until_status = False, min(since, time()), until_status - 1
        if until_status == 0:
            until_status = _POLLS_PER_STATUS
            if not opening.has_data:
                await _end_if_hopeless(run, opening, connection)
        opening.is_told = False  # what was told belongs to the time before the document
        await pause(run.pace.between_product_polls(time() - since, run.waiting))
    return body


async def _newest(sync: Sync, opening: Opening, connection: Connection, *, is_first: bool) -> Body | None:
    """Ask once for the document; None as well while a refresh is about to bring a newer one."""
    body = await _ask_product(sync, opening, connection, is_first=is_first)
    if body is None:
        return None
    is_kept = False
    try:
        is_kept = not await is_outdated(sync.run, opening, connection)
    finally:
        if not is_kept:
            _give_back(opening)
    return body if is_kept else None


async def _ask_product(sync: Sync, opening: Opening, connection: Connection, *, is_first: bool) -> Body | None:
    """Ask once for the document; None while it is being prepared. A document keeps its place."""

    async def ask() -> Body:
        place = Place(sync.run.limit)
        try:
            body = await sync.run.api.document(connection.access_token, place=place, first=is_first)
        except BaseException:
            place.give_back()
            raise
        place.hold()
        opening.place = place
        return body

    try:
        return await patiently(sync.run, opening, ask)
    except Problem as problem:
        if problem.meaning.then is not Then.WAIT and not await _is_repeated(sync.run, opening, connection, problem):
            raise
        opening.reason = problem.reason
        return None


def _give_back(opening: Opening) -> None:
    if opening.place is not None:
        opening.place.give_back()
        opening.place = None


async def _is_repeated(run: Run, opening: Opening, connection: Connection, problem: Problem) -> bool:
    """Have a session that ended in an error repeated when that is long enough ago; tell whether it was."""
    if problem.meaning is not BROKEN or opening.refreshed or opening.sent:
        return False
    context = opening.context if opening.is_told else await look_at(run, opening, connection)
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
    if of_context(context.status, context.reason).then is Then.STOP:
        await _end_or_refresh(run, opening, connection, context)


async def _end_or_refresh(run: Run, opening: Opening, connection: Connection, context: Context) -> None:
    """End a login whose session is over without data; refresh it instead if it ended in an error long enough ago."""
    meaning = of_context(context.status, context.reason)
    if meaning is BROKEN and may_refresh(run, opening, context, _ERROR_HOURS):
        await refresh(run, opening, connection)
        return
    raise Ended(outcome(context.reason or context.status, meaning))


async def _health(sync: Sync, opening: Opening, receipt: Receipt) -> Outcome:
    """Judge a connection whose document was delivered: what its latest session says about the next one."""
    context = opening.context
    if not opening.is_told or _may_have_changed(context, receipt):
        context = await _asked_again(sync.run, opening)
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


def _may_have_changed(context: Context | None, receipt: Receipt) -> bool:
    """Tell whether the status told before a document is not enough: work in progress, or more accounts than came."""
    if context is None:
        return False
    is_short = receipt.accounts is not None and receipt.accounts < (context.account_count or 0)
    return is_short or of_context(context.status, context.reason).then is Then.WAIT


async def _asked_again(run: Run, opening: Opening) -> Context | None:
    token = run.links.token(opening.login) or ""
    try:
        async with run.deadline.applied():
            return await look_at(run, opening, Connection(token), later=True)
    except (Problem, TimeoutError):
        return None


def _ready_but(concern: Outcome) -> Outcome:
    """The data is there, yet something stands in the way of newer data."""
    message = f"The data of the last good session was delivered. {concern.message}"
    return Outcome(Status.READY, concern.actor, None, concern.reason, message, concern.detail)
