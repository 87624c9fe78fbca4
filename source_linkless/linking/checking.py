"""Check: are configuration and keys right, and could a sync deliver anything?

A login without a link is linked and waited for until `Connected`; a connection that has a token is asked for its
health and never linked again. Of a fleet at most one login is linked, and none when any link exists; its tokens are
verified together, as far as the time goes.
"""

from __future__ import annotations

import asyncio

from source_linkless.concurrency.handover import Emit
from source_linkless.concurrency.waiting import time
from source_linkless.config import Config, Links, Step
from source_linkless.errors import Problem, Then
from source_linkless.linking.events import Event
from source_linkless.linking.handshake import finish, open_connection, relink
from source_linkless.linking.opening import test_keys, with_good_keys
from source_linkless.linking.orchestration import Surroundings, new_run, telling
from source_linkless.linking.refreshing import look_at
from source_linkless.linking.running import Ended, Opening, Run, of_error, patiently
from source_linkless.provider.api import Connection
from source_linkless.provider.outcomes import (
    PROVIDER_DOWN,
    READY,
    WORKING,
    Outcome,
    of_context,
    of_wait,
    outcome,
)


async def check_all(config: Config, links: Links, surroundings: Surroundings, emit: Emit[Event]) -> None:
    """Prove the keys, then the chosen logins; emits a Finished for each of them. Raises Problem for keys or outage."""
    run = new_run(config, links, surroundings, emit, config.check_timeout_seconds)
    try:
        await test_keys(run)
    except TimeoutError:
        raise Problem("TIMEOUT", PROVIDER_DOWN, detail="/test/api_keys") from None
    openings = _chosen(config, links)
    with telling(openings, emit):
        async with asyncio.TaskGroup() as tasks:
            for opening in openings:
                tasks.create_task(_check_login(run, opening, emit))
        await run.written()


def _chosen(config: Config, links: Links) -> list[Opening]:
    """Choose what to check: the one login; of a fleet all with a token, or else the first that may be linked."""
    with_token = [login for login in config.logins if links.token(login)]
    linkable = [login for login in config.logins if links.step(login) is Step.LINK]
    chosen = config.logins if config.method != "fleet" else with_token or linkable[:1] or config.logins[:1]
    return [Opening(login, time()) for login in chosen]


async def _check_login(run: Run, opening: Opening, emit: Emit[Event]) -> None:
    try:
        opening.outcome = await _health(run, opening)
    except (Ended, Problem, TimeoutError) as error:
        opening.outcome = _outcome_of(run, opening, error)
    await finish(run, opening, opening.outcome, emit)


def _outcome_of(run: Run, opening: Opening, error: Exception) -> Outcome:
    match error:
        case TimeoutError():
            return of_wait(opening.reason)
        case Problem():
            return with_good_keys(error, has_token=run.links.token(opening.login) is not None)
        case _:
            return of_error(error)


async def _health(run: Run, opening: Opening) -> Outcome:
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
    """Ask for the health of a connection; where that is bad or unknown, whether it could still deliver data."""
    async with run.deadline.applied():
        context = await look_at(run, opening, connection)
        meaning = of_context(context.status, context.reason) if context else None
        if meaning is not None and meaning.then is not Then.STOP:
            return READY
        bad = outcome(context.reason or context.status, meaning) if context and meaning else opening.concern
        try:
            await patiently(run, opening, lambda: run.api.document(connection.access_token))
        except Problem as problem:
            if problem.meaning.then is not Then.WAIT:
                raise
            return bad or outcome(problem.reason, WORKING)
        return READY
