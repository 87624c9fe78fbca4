"""The health of a connection, and having it refreshed when its last session is too old.

A refresh is a login at the utility like any other: it is announced before it is sent, counts, is sent once in a run,
and never for a connection that needs a person.
"""

from __future__ import annotations

from source_linkless.clock import hours_since
from source_linkless.concurrency.waiting import time
from source_linkless.errors import Problem, Status, Then
from source_linkless.linking.running import Opening, Run, at_allowed_rate, patiently
from source_linkless.provider.api import Connection, Context
from source_linkless.provider.outcomes import of_context, of_problem

_SHARE_FOR_NEWS = 0.5
"""Of the time left: a session that does not end must not cost the data that is there."""


async def look_at(run: Run, opening: Opening, connection: Connection, *, later: bool = False) -> Context | None:
    """Ask for the status of a connection; None when the provider does not tell, which costs only the facts."""
    opening.is_told = True
    try:
        context = await patiently(run, opening, lambda: run.api.context(connection.access_token, later=later))
    except Problem as problem:
        if problem.meaning.then in (Then.ASK_KEYS, Then.RELINK):
            raise
        return None
    opening.context = context
    if context.connection_id:
        opening.connection_id = context.connection_id
        run.links.note_connection(opening.login, context.connection_id)
    return context


async def refresh_if_old(run: Run, opening: Opening, connection: Connection, context: Context) -> bool:
    """Refresh a connection whose last session is older than the user wants (option `refresh_after_days`).

    Returns whether a refresh was sent.
    """
    days = run.config.refresh_after_days
    if days is None or not may_refresh(run, opening, context, days * 24.0):
        return False
    await refresh(run, opening, connection)
    return True


def may_refresh(run: Run, opening: Opening, context: Context, hours: float) -> bool:
    """A refresh is a login at the utility: once per sync, never for a connection that needs a person."""
    age = hours_since(context.since, run.now())
    is_due = age is not None and age > hours and not opening.refreshed and not opening.sent
    needs_person = of_context(context.status, context.reason).status is Status.NEEDS_USER
    return is_due and not needs_person and run.links.may_submit(opening.login)


async def refresh(run: Run, opening: Opening, connection: Connection) -> None:
    """Start a new session; the wait that follows is the ordinary one."""
    opening.refreshed, opening.is_told = True, False
    run.links.announce(opening.login)
    await run.written()
    try:
        await at_allowed_rate(run, opening, lambda: run.api.refresh(connection.access_token))
    except Problem as problem:
        if not problem.reached:
            run.links.withdraw(opening.login)
        if problem.meaning.status is Status.NEEDS_USER:
            run.links.refuse(opening.login, problem.reason)
        await run.written()
        opening.concern = of_problem(problem)
        return
    opening.news_until = time() + run.deadline.left() * _SHARE_FOR_NEWS


async def is_outdated(run: Run, opening: Opening, connection: Connection) -> bool:
    """Tell whether data that is there is still that of the session before the refresh, with a newer one under way."""
    if time() >= opening.news_until:
        return False
    context = await look_at(run, opening, connection)
    opening.has_data = context is not None and of_context(context.status, context.reason).then is Then.WAIT
    return opening.has_data
