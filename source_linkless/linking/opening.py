"""One login of a sync: login ──► connection ──► document, and every wait on the way.

    linked in this run ─────────────────────────────┐
    has a token ──► status ──► Connected ───────────┴──► product ──► PRODUCT_NOT_READY ──► polled with backoff
                      │  └─ Connecting: polled every     │            └─ every few polls the status again
                      │     poll_interval_seconds        └─► document ──► handed over ──► Finished
                      └─ ended or needs a person: product asked once, then Finished
    deadline, refused keys: every wait ends at once, every login still gets its Finished
    after Finished: files of its bills, if any are wanted ──► FileAnswered, …

One task per login on one event loop; a pause costs no thread. Memory is bounded by places for documents (see
`waiting.Place`): a document gives its place back when the consumer has dealt with it.

A refresh is a login at the utility like any other: it is announced before it is sent, counts, is sent once in a run,
and never for a connection that needs a person.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from source_linkless.clock import hours_since
from source_linkless.concurrency import Place, waiting
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking.echoes import delivered, finished, without_echoes
from source_linkless.linking.events import FileAnswered, Finished, Receipt, WantedFile
from source_linkless.linking.handshake import open_connection, relink, withdraw
from source_linkless.linking.running import (
    Ended,
    Opening,
    Run,
    at_allowed_rate,
    of_deadline,
    of_error,
    of_surprise,
    patiently,
    ready_but,
)
from source_linkless.provider import Body, Connection, Context, StatementFile
from source_linkless.provider.outcomes import (
    BROKEN,
    NOT_ALLOWED,
    READY,
    TOKEN,
    Outcome,
    of_context,
    of_problem,
    outcome,
)

_ERROR_HOURS = 6.0  # a session that ended in `Error` is not repeated at once (API notes, section 11)
_POLLS_PER_STATUS = 4
_POLLS_BEFORE_FIRST_STATUS = 2  # of a login that was linked in this run, or whose status could not be had
_IN_PROGRESS = "New", "Connecting"
"""`connection_status` of a login that has not been accepted yet (API notes, section 3.1)."""
_FILE_FAILURES = 3
"""Failures in a row after which the other files of a login are left to the next sync: the provider is out of order."""
_SHARE_FOR_NEWS = 0.5
"""Of the time left: a session that does not end must not cost the data that is there."""


async def sync_login(run: Run, opening: Opening) -> None:
    """Bring one login to its end: hand over its document if there is one, its outcome, then files. Raises nothing."""
    await to_its_end(run, opening, lambda: _delivered(run, opening), lambda error: _outcome_of(run, opening, error))
    await _ask_for_files(run, opening)


async def to_its_end(
    run: Run,
    opening: Opening,
    work: Callable[[], Awaitable[Outcome]],
    explained: Callable[[Exception], Awaitable[Outcome]],
) -> None:
    """Bring a login to its outcome and report it. This is the one place where exceptions of any kind end.

    `work` returns the outcome, `explained` makes one of what `work` raised. Data that was delivered stays delivered:
    what was raised after it becomes a concern.
    """
    try:
        opening.outcome = await work()
    except Exception as error:  # noqa: BLE001 - whatever happens to one login must not cost the others
        opening.outcome = await _explained(opening, error, explained)
    waited = waiting.time() - opening.started if opening.waited is None else opening.waited
    try:
        withdraw(run, opening)
        end = finished(run, opening, opening.outcome, waited)
    except Exception as error:  # noqa: BLE001 - see above
        end = Finished(opening.login, of_surprise(error), None, None, waited)
    await run.emit(end)


async def _explained(
    opening: Opening, raised: Exception, explained: Callable[[Exception], Awaitable[Outcome]]
) -> Outcome:
    try:
        result = await explained(raised)
    except Exception as error:  # noqa: BLE001 - see `to_its_end`
        result = of_error(error)
    return ready_but(result) if opening.is_delivered else result


async def _delivered(run: Run, opening: Opening) -> Outcome:
    body = await _document(run, opening)
    opening.waited = waiting.time() - opening.started
    try:
        event = delivered(run, opening, body)
        receipt = event.receipt
        del body
        await run.emit(event)
        del event
    finally:
        _give_back(opening)
    opening.is_delivered, opening.files = True, receipt.files
    return await _health(run, opening, receipt)


async def _outcome_of(run: Run, opening: Opening, error: Exception) -> Outcome:
    result = await _judged(run, opening, error)
    if result.status is Status.NEEDS_USER:
        run.links.refuse(opening.login, result.reason or "")
    return result


async def _judged(run: Run, opening: Opening, error: Exception) -> Outcome:
    match error:
        case _ if run.verdict:
            return run.verdict
        case Problem() if error.meaning.then is Then.ASK_KEYS:
            return await _judge_keys(run, opening, error)
        case TimeoutError():
            return opening.concern or of_deadline(opening)
        case _:
            return of_error(error)


async def _judge_keys(run: Run, opening: Opening, problem: Problem) -> Outcome:
    """Return the outcome of a 401: refused keys end the whole run at once, else only this connection is at fault."""
    try:
        await test_keys(run)
    except Problem as refusal:
        if refusal.meaning.then is Then.ASK_KEYS:
            run.verdict = of_problem(refusal)
            run.deadline.strike_now()
        return of_problem(refusal)
    except TimeoutError:
        if run.verdict:
            return run.verdict
    return with_good_keys(run, opening, problem)


async def test_keys(run: Run) -> None:
    """Test the keys; raises Problem when they are refused or the provider is out of reach.

    The endpoint came late to the provider's description (API notes, section 1.2): without it, or with an answer from
    it that nothing can be learnt from, the run goes on, and each request is judged by itself.
    """
    try:
        async with run.deadline.applied():
            await patiently(run, None, run.api.test_keys)
    except Problem as problem:
        if problem.meaning.then in (Then.ASK_KEYS, Then.RETRY):
            raise
    except TimeoutError:
        raise
    except Exception:  # noqa: BLE001, S110 - see above
        pass


def with_good_keys(run: Run, opening: Opening, problem: Problem) -> Outcome:
    """Return the outcome of a problem that came after the test of the keys: a 401 is then about this login alone."""
    if problem.meaning.then is not Then.ASK_KEYS:
        return of_problem(problem)
    has_token = run.links.token(opening.login) is not None
    return outcome(problem.reason, TOKEN if has_token else NOT_ALLOWED, problem.detail)


async def _document(run: Run, opening: Opening) -> Body:
    """Return the body of a connection's document, which holds a place."""
    try:
        connection = await open_connection(run, opening)
        return await _document_of(run, opening, connection)
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        connection = await relink(run, opening, problem)
        return await _document_of(run, opening, connection)


async def _document_of(run: Run, opening: Opening, connection: Connection) -> Body:
    opening.connection_id = connection.connection_id or opening.connection_id
    run.waiting += 1
    try:
        async with run.deadline.applied():
            return await _polled(run, opening, connection, await _status_first(run, opening, connection))
    finally:
        run.waiting -= 1


async def _status_first(run: Run, opening: Opening, connection: Connection) -> Context | None:
    """Wait until the status of a connection that has its token from an earlier run is no longer in progress.

    Returns None when the product is to be asked without it: the login was linked in this run, which polled the link
    status; the provider does not tell the status; or a refresh was sent.
    """
    if opening.sent and opening.connection_id:
        return None
    started = waiting.time()
    while context := await look_at(run, opening, connection):
        if context.status not in _IN_PROGRESS or of_context(context.status, context.reason).then is not Then.WAIT:
            return None if await _refresh_if_old(run, opening, connection, context) else context
        opening.reason = context.reason or context.status
        await waiting.pause(run.pace.between_status_polls(waiting.time() - started, run.waiting))
    return None


async def _polled(run: Run, opening: Opening, connection: Connection, context: Context | None) -> Body:
    """Poll the product until there is a document. `context` is the status told before, None when it is not known."""
    since, is_first = math.inf, context is not None
    is_over = context is not None and of_context(context.status, context.reason).then is Then.STOP
    until_status = _POLLS_PER_STATUS if context else _POLLS_BEFORE_FIRST_STATUS
    while (body := await _newest(run, opening, connection, is_first=is_first)) is None:
        if context and is_over and not opening.refreshed:
            await _end_or_refresh(run, opening, connection, context)
        is_first, since, until_status = False, min(since, waiting.time()), until_status - 1
        if until_status == 0:
            until_status = _POLLS_PER_STATUS
            if not opening.has_data:
                await _end_if_hopeless(run, opening, connection)
        opening.is_told = False  # what was told belongs to the time before the document
        await waiting.pause(run.pace.between_product_polls(waiting.time() - since, run.waiting))
    return body


async def _newest(run: Run, opening: Opening, connection: Connection, *, is_first: bool) -> Body | None:
    """Ask once for the document; None as well while a refresh is about to bring a newer one."""
    body = await _ask_product(run, opening, connection, is_first=is_first)
    if body is None:
        return None
    is_kept = False
    try:
        is_kept = not await _is_outdated(run, opening, connection)
    finally:
        if not is_kept:
            _give_back(opening)
    return body if is_kept else None


async def _ask_product(run: Run, opening: Opening, connection: Connection, *, is_first: bool) -> Body | None:
    """Ask once for the document; None while it is being prepared. A document keeps its place."""

    async def ask() -> Body:
        place = Place(run.limit)
        try:
            body = await run.ask(opening).document(connection.access_token, place=place, first=is_first)
        except BaseException:
            place.give_back()
            raise
        place.hold()
        opening.place = place
        return body

    try:
        return await patiently(run, opening, ask)
    except Problem as problem:
        if problem.meaning.then is not Then.WAIT and not await _is_repeated(run, opening, connection, problem):
            raise
        opening.reason = problem.reason
        return None


def _give_back(opening: Opening) -> None:
    if opening.place is not None:
        opening.place.give_back()
        opening.place = None


async def _is_repeated(run: Run, opening: Opening, connection: Connection, problem: Problem) -> bool:
    """Repeat a session that ended in an error if that is long enough ago; returns whether it was repeated."""
    if problem.meaning is not BROKEN or opening.refreshed or opening.sent:
        return False
    context = opening.context if opening.is_told else await look_at(run, opening, connection)
    if context is None or not _may_refresh(run, opening, context, _ERROR_HOURS):
        return False
    await _refresh(run, opening, connection)
    return True


async def _end_if_hopeless(run: Run, opening: Opening, connection: Connection) -> None:
    """End a login whose status says that waiting is useless: it ended without data, or needs a person."""
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
    if meaning is BROKEN and _may_refresh(run, opening, context, _ERROR_HOURS):
        await _refresh(run, opening, connection)
        return
    raise Ended(outcome(context.reason or context.status, meaning))


async def look_at(run: Run, opening: Opening, connection: Connection, *, later: bool = False) -> Context | None:
    """Ask for the status of a connection; None when the provider does not tell, which costs only the facts."""
    opening.is_told = True
    try:
        context = await patiently(run, opening, lambda: run.ask(opening).context(connection.access_token, later=later))
    except Problem as problem:
        if problem.meaning.then in (Then.ASK_KEYS, Then.RELINK):
            raise
        return None
    opening.context = context
    if context.connection_id:
        opening.connection_id = context.connection_id
        run.links.note_connection(opening.login, context.connection_id)
    return context


async def _refresh_if_old(run: Run, opening: Opening, connection: Connection, context: Context) -> bool:
    """Refresh a connection whose last session is older than the user wants (option `refresh_after_days`).

    Returns whether a refresh was sent.
    """
    days = run.config.refresh_after_days
    if days is None or not _may_refresh(run, opening, context, days * 24.0):
        return False
    await _refresh(run, opening, connection)
    return True


def _may_refresh(run: Run, opening: Opening, context: Context, hours: float) -> bool:
    """Tell whether a session older than `hours` may be refreshed: once in a run, never if it needs a person."""
    age = hours_since(context.since, run.now())
    is_due = age is not None and age > hours and not opening.refreshed and not opening.sent
    needs_person = of_context(context.status, context.reason).status is Status.NEEDS_USER
    return is_due and not needs_person and run.links.may_submit(opening.login)


async def _refresh(run: Run, opening: Opening, connection: Connection) -> None:
    """Start a new session; the wait that follows is the ordinary one."""
    opening.refreshed, opening.is_told = True, False
    run.links.announce(opening.login)
    await run.written()
    try:
        await at_allowed_rate(run, opening, lambda: run.ask(opening).refresh(connection.access_token))
    except Problem as problem:
        if not problem.reached:
            run.links.withdraw(opening.login)
        if problem.meaning.status is Status.NEEDS_USER:
            run.links.refuse(opening.login, problem.reason)
        await run.written()
        opening.concern = of_problem(problem)
        return
    opening.news_until = waiting.time() + run.deadline.left() * _SHARE_FOR_NEWS


async def _is_outdated(run: Run, opening: Opening, connection: Connection) -> bool:
    """Tell whether data that is there is still that of the session before the refresh, with a newer one under way."""
    if waiting.time() >= opening.news_until:
        return False
    context = await look_at(run, opening, connection)
    opening.has_data = context is not None and of_context(context.status, context.reason).then is Then.WAIT
    return opening.has_data


async def _health(run: Run, opening: Opening, receipt: Receipt) -> Outcome:
    """Judge a connection whose document was delivered: what its latest session says about the next one."""
    context = opening.context
    if not opening.is_told or _may_have_changed(context, receipt):
        context = await _asked_again(run, opening)
    if context is not None:
        meaning = of_context(context.status, context.reason)
        is_unfinished = opening.refreshed and meaning.then is Then.WAIT
        if meaning.status is Status.NEEDS_USER:
            run.links.refuse(opening.login, context.reason or "")
        if meaning.status is Status.NEEDS_USER or meaning is BROKEN or is_unfinished:
            return ready_but(outcome(context.reason or context.status, meaning))
        if not opening.sent and not opening.refreshed:
            run.links.recovered(opening.login, context.since)
    if opening.concern and (context is None or opening.sent or opening.refreshed):
        return ready_but(opening.concern)
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


async def _ask_for_files(run: Run, opening: Opening) -> None:
    """Ask for the files of bills one after the other, and hand over each answer, until the deadline.

    The rest is left to the next sync after a few failures in a row, and when the provider refuses the token.
    """
    token, failures = run.links.token(opening.login), 0
    wanted, opening.files = opening.files, ()
    for one in wanted if token else ():
        async with run.files:
            try:
                async with run.deadline.applied():
                    file = await _file_of(run, token or "", one)
            except TimeoutError:
                return
            except Exception as error:  # noqa: BLE001 - a file must cost nothing else
                file, result = None, of_error(error)
                is_refused = isinstance(error, Problem) and error.meaning.then in (Then.ASK_KEYS, Then.RELINK)
                failures = _FILE_FAILURES if is_refused else failures + 1
            else:
                result, failures = READY, 0
            if result.status is Status.NO_DATA:
                failures = 0
            await run.emit(FileAnswered(opening.login, one, file, without_echoes(run, opening, result)))
            del file
        if failures >= _FILE_FAILURES:
            return


async def _file_of(run: Run, token: str, wanted: WantedFile) -> StatementFile:
    return await patiently(run, None, lambda: run.api.statement_file(token, wanted.statement_id))
