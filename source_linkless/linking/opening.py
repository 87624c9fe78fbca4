"""A run over all logins, and the way of one: login ──► connection ──► document, with every wait on it.

    sync_all   opens every login and waits for its document; every login gets exactly one Finished
    check_all  tests keys and tokens; links at most one login, none where a link exists

    linked in this run ─────────────────────────────┐
    has a token ──► status ──► Connected ───────────┴──► product ──► PRODUCT_NOT_READY ──► polled with backoff
                      │  └─ Connecting: polled every     │            └─ every few polls the status again
                      │     poll_interval_seconds        └─► document ──► handed over ──► Finished
                      └─ ended or needs a person: product asked once, then Finished
    deadline, refused keys: every wait ends at once, every login still gets its Finished
    after Finished: files of its bills, if any are wanted ──► FileAnswered, …

A refresh is a login at the utility like any other: it is announced before it is sent, counts, is sent once in a run,
and never for a connection that needs a person.
"""

import asyncio
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TypeVar

from source_linkless.clock import hours_since
from source_linkless.concurrency import Emit, waiting
from source_linkless.config import Config, Links, Step
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking import events
from source_linkless.linking.handshake import announce, open_connection, relink
from source_linkless.linking.running import Ended, Opening, Run, Surroundings, ready_but
from source_linkless.provider import Api, Body, Context
from source_linkless.provider.outcomes import BROKEN, PROVIDER_DOWN, READY, WORKING, Outcome, of_problem, outcome

T = TypeVar("T")

PROGRESS_SECONDS = 60.0
HEARTBEAT_EVERY = 5  # lines of progress: the platform may stop a sync that sends neither record nor state for long
_ERROR_HOURS = 6.0  # a session that ended in `Error` is repeated after that time (API notes, section 11)
_POLLS_PER_STATUS = 4
_POLLS_BEFORE_FIRST_STATUS = 2  # of a login that was linked in this run, or whose status could not be had
_IN_PROGRESS = "New", "Connecting"  # `connection_status` of a login that is not accepted yet (API notes, section 3.1)
_FILE_FAILURES = 3  # in a row; then the other files of a login are left to the next sync: the provider is out of order


async def sync_all(config: Config, links: Links, surroundings: Surroundings, emit: Emit[events.Event]) -> None:
    """Open every login at once and emit documents as they become ready; the first ready goes first."""
    run = Run(config, links, surroundings, config.data_timeout_seconds, emit)
    openings = [Opening(run, login) for login in config.logins]
    with _telling(run, openings):
        try:
            await run.test_keys()
            for opening in openings:
                announce(opening)
        except Problem as problem:  # before any login was submitted: every one ends with this verdict
            run.verdict = of_problem(problem)
            run.deadline.strike_now()
        except TimeoutError:
            pass  # the deadline ends every wait below as well
        await asyncio.gather(*(sync_login(opening) for opening in openings))
        await run.written()


async def check_all(config: Config, links: Links, surroundings: Surroundings, emit: Emit[events.Event]) -> None:
    """Test the keys, then the chosen logins; emits a Finished for each. Raises Problem for keys or outage.

    A login without a link is linked and waited for until `Connected`. Of a fleet every connection is verified, as far
    as the time goes; where there is none, one login is linked.
    """
    run = Run(config, links, surroundings, config.check_timeout_seconds, emit)
    try:
        await run.test_keys()
    except TimeoutError:
        raise Problem("TIMEOUT", PROVIDER_DOWN, detail="/test/api_keys") from None
    chosen = config.logins
    if config.method == "fleet":
        with_token = [login for login in config.logins if links.token(login)]
        linkable = [login for login in config.logins if links.step(login) is Step.LINK]
        chosen = tuple(with_token or linkable[:1]) or config.logins[:1]
    openings = [Opening(run, login) for login in chosen]
    with _telling(run, openings):
        await asyncio.gather(*(opening.to_its_end(partial(_checked, opening)) for opening in openings))
        await run.written()


@contextmanager
def _telling(run: Run, openings: Sequence[Opening]) -> Iterator[None]:
    """Report how far the logins are while the block runs: each minute, and of a few logins every step."""
    minutes = itertools.count(1)
    told: dict[str, str] = {}

    async def tell_progress() -> None:
        counts = Counter(one.outcome.status.value if one.outcome else "waiting" for one in openings)
        slowest = heapq.nlargest(3, still_waiting(openings), key=lambda one: one.seconds)
        await run.emit(events.Progress(dict(counts), slowest, heartbeat=next(minutes) % HEARTBEAT_EVERY == 0))

    async def tell_steps() -> None:
        for one in still_waiting(openings):
            if told.get(one.key, events.NOT_ASKED_YET) != one.reason:
                told[one.key] = one.reason
                await run.emit(one)

    are_few = len(openings) <= events.FEW_LOGINS
    with waiting.every(PROGRESS_SECONDS, tell_progress), waiting.every(1.0, tell_steps) if are_few else nullcontext():
        yield


def still_waiting(openings: Sequence[Opening]) -> list[events.Waiting]:
    """Return the logins that have not ended yet."""
    left = [opening for opening in openings if opening.outcome is None]
    return [events.Waiting(one.login.key, one.reason, waiting.time() - one.started) for one in left]


async def _checked(opening: Opening) -> Outcome:
    opening.token = opening.run.links.token(opening.login) or ""
    if opening.token and opening.run.config.method == "fleet":
        return await _verified(opening)  # an edited login of a fleet is left to the sync
    return await _with_connection(opening, _verified)


async def _verified(opening: Opening) -> Outcome:
    """Ask for the status of a connection; where that is bad or unknown, whether it could still deliver data."""
    if opening.sent:
        return opening.concern or READY
    async with opening.run.deadline.applied():
        context = await look_at(opening)
        if context and context.meaning.then is not Then.STOP:
            return READY
        try:
            await opening.ask(lambda api: api.document(opening.token))
        except Problem as problem:
            if problem.meaning.then is not Then.WAIT:
                raise
            return (context.outcome if context else opening.concern) or outcome(problem.reason, WORKING)
        return READY


async def _with_connection(opening: Opening, use: Callable[[Opening], Awaitable[T]]) -> T:
    """Open the connection of a login and use it; link once more where the provider does not know the written token."""
    try:
        await open_connection(opening)
        return await use(opening)
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        await relink(opening, problem)
        return await use(opening)


async def sync_login(opening: Opening) -> None:
    """Bring one login to its end: hand over its document if there is one, its outcome, then files. Raises nothing."""
    await opening.to_its_end(partial(_synced, opening))
    await _ask_for_files(opening)


async def _synced(opening: Opening) -> Outcome:
    try:
        body = await _with_connection(opening, _polled)
        waited, echoes = waiting.time() - opening.started, opening.echoes()
        event = events.Delivered(opening.login, echoes.text(opening.connection_id), echoes.document(body))
        del body
        await opening.run.emit(event)
        opening.waited, opening.files, accounts = waited, event.files, event.accounts
        del event
        opening.give_back()
        return await _health(opening, accounts)
    except Exception as error:
        opening.give_back()
        raise Ended(await _explained(opening, error)) from error


async def _explained(opening: Opening, error: Exception) -> Outcome:
    """Return the outcome of an exception; a 401 ends the whole run where the keys are refused, else only its login."""
    run = opening.run
    if isinstance(error, Problem) and error.meaning.then is Then.ASK_KEYS and not run.verdict:
        try:
            await run.test_keys()
        except Problem as refusal:
            error = refusal
            if refusal.meaning.then is Then.ASK_KEYS:
                run.verdict = of_problem(refusal)
                run.deadline.strike_now()
        except TimeoutError:
            pass
    if run.verdict:
        return run.verdict
    is_cut_off = isinstance(error, TimeoutError)
    result = opening.concern if opening.concern and is_cut_off else opening.outcome_of(error)
    if result.status is Status.NEEDS_USER:
        run.links.refuse(opening.login, result.reason or "")
    return result


async def _polled(opening: Opening) -> Body:
    """Poll the status as far as it must be known, then the product, until there is a document."""
    run = opening.run
    run.waiting += 1
    try:
        async with run.deadline.applied():
            return await _poll_product(opening, await _poll_status(opening))
    finally:
        run.waiting -= 1


async def _poll_status(opening: Opening) -> Context | None:
    """Wait until the status of a connection that has its token from an earlier run is no longer in progress.

    Returns None when the product is to be asked without it: the login was linked in this run, which polled the link
    status; the provider does not tell the status; or a refresh was sent.
    """
    if opening.sent and opening.connection_id:
        return None
    run, started = opening.run, waiting.time()
    while context := await look_at(opening):
        if context.status not in _IN_PROGRESS or context.meaning.then is not Then.WAIT:
            days = run.config.refresh_after_days
            return None if days is not None and await _refreshed(opening, context, days * 24.0) else context
        opening.reason = context.reason or context.status
        await waiting.pause(run.pace.between_status_polls(waiting.time() - started, run.waiting))
    return None


async def _poll_product(opening: Opening, context: Context | None) -> Body:
    """Poll the product until there is a document. `context` is the status told before, None when it is not known."""
    run, since, is_first = opening.run, math.inf, context is not None
    until_status = _POLLS_PER_STATUS if context else _POLLS_BEFORE_FIRST_STATUS
    while (body := await _ask_product(opening, is_first=is_first)) is None:
        if context and not opening.refreshed:
            await _end_if_hopeless(opening, context)
        is_first, since, until_status = False, min(since, waiting.time()), until_status - 1
        if until_status == 0:
            until_status = _POLLS_PER_STATUS
            if not opening.has_data:
                await _end_if_hopeless(opening, await look_at(opening))
        opening.is_told = False  # what was told belongs to the time before the document
        await waiting.pause(run.pace.between_product_polls(waiting.time() - since, run.waiting))
    return body


async def _ask_product(opening: Opening, *, is_first: bool) -> Body | None:
    """Ask once for the document, which keeps its place.

    None while it is being prepared, or when it is still that of the session before a refresh that is under way.
    """

    async def ask(api: Api) -> Body:
        try:
            body = await api.document(opening.token, began=opening.hold_place, first=is_first)
        except BaseException:
            opening.give_back()
            raise
        opening.hold_place()
        return body

    try:
        body = await opening.ask(ask)
    except Problem as problem:
        if problem.meaning is BROKEN and not (opening.refreshed or opening.sent):
            context = opening.context if opening.is_told else await look_at(opening)
            if context is None or not await _refreshed(opening, context):
                raise
        elif problem.meaning.then is not Then.WAIT:
            raise
        opening.reason = problem.reason
        return None
    if waiting.time() < opening.news_until:
        context = await look_at(opening)
        opening.has_data = context is not None and context.meaning.then is Then.WAIT
        if opening.has_data:
            opening.give_back()
            return None
    return body


async def _end_if_hopeless(opening: Opening, context: Context | None) -> None:
    """End a login whose status says that waiting is useless: it ended without data, or needs a person.

    A session that ended in an error long enough ago is refreshed instead.
    """
    if context is None:
        if opening.concern:
            raise Ended(opening.concern)
    elif context.meaning.then is Then.STOP and not (context.meaning is BROKEN and await _refreshed(opening, context)):
        raise Ended(context.outcome)


async def look_at(opening: Opening, *, later: bool = False) -> Context | None:
    """Ask for the status of a connection; None when the provider does not tell, which costs only the facts."""
    opening.is_told = True
    try:
        context = await opening.ask(lambda api: api.context(opening.token, later=later))
    except Problem as problem:
        if problem.meaning.then in (Then.ASK_KEYS, Then.RELINK):
            raise
        return None
    opening.context = context
    if context.connection_id:
        opening.connection_id = context.connection_id
        opening.run.links.note_connection(opening.login, context.connection_id)
    return context


async def _refreshed(opening: Opening, context: Context, hours: float = _ERROR_HOURS) -> bool:
    """Start a new session where the last is older than `hours`: once in a run, never if it needs a person.

    Returns whether the refresh was sent; the wait that follows is the ordinary one.
    """
    run, login = opening.run, opening.login
    age = hours_since(context.since, run.surroundings.now())
    is_due = age is not None and age > hours and not opening.refreshed and not opening.sent
    if not is_due or context.meaning.status is Status.NEEDS_USER or not run.links.may_submit(login):
        return False
    opening.refreshed, opening.is_told = True, False
    run.links.announce(login)
    await run.written()
    try:
        await opening.ask(lambda api: api.refresh(opening.token), once=True)
    except Problem as problem:
        if not problem.reached:
            run.links.withdraw(login)
        if problem.meaning.status is Status.NEEDS_USER:
            run.links.refuse(login, problem.reason)
        await run.written()
        opening.concern = of_problem(problem)
    else:
        # A session that does not end must not cost the data that is there.
        opening.news_until = waiting.time() + run.deadline.left() / 2
    return True


async def _health(opening: Opening, accounts: int | None) -> Outcome:
    """Judge a connection whose document was delivered: what its latest session says about the next one.

    The status told before the document is not enough where it was work in progress or promised more `accounts`.
    """
    run, context = opening.run, opening.context
    is_short = context is not None and accounts is not None and accounts < (context.account_count or 0)
    if not opening.is_told or is_short or (context and context.meaning.then is Then.WAIT):
        try:
            async with run.deadline.applied():
                context = await look_at(opening, later=True)
        except (Problem, TimeoutError):
            context = None
    is_new = opening.sent or opening.refreshed
    if context is not None:
        meaning, needs_user = context.meaning, context.meaning.status is Status.NEEDS_USER
        if needs_user:
            run.links.refuse(opening.login, context.reason or "")
        if needs_user or meaning is BROKEN or (opening.refreshed and meaning.then is Then.WAIT):
            return ready_but(context.outcome)
        if not is_new:
            run.links.recovered(opening.login, context.since)
    return ready_but(opening.concern) if opening.concern and (context is None or is_new) else READY


async def _ask_for_files(opening: Opening) -> None:
    """Ask for the files of bills one after the other, and hand over each answer, until the deadline.

    The rest is left to the next sync after a few failures in a row, and when the provider refuses the token.
    """
    run, token, failures = opening.run, opening.token, 0
    for one in opening.files:
        async with run.files:
            try:
                file = await run.ask(partial(Api.statement_file, access_token=token, statement_id=one.statement_id))
            except TimeoutError:
                return
            except Exception as error:  # noqa: BLE001 - a file must cost nothing else
                file, result = None, opening.outcome_of(error)
                is_refused = isinstance(error, Problem) and error.meaning.then in (Then.ASK_KEYS, Then.RELINK)
                failures = _FILE_FAILURES if is_refused else 0 if result.status is Status.NO_DATA else failures + 1
            else:
                result, failures = READY, 0
            await run.emit(events.FileAnswered(opening.login, one, file, opening.echoes().hidden(result)))
            del file
        if failures >= _FILE_FAILURES:
            return
