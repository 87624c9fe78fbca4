"""The handshake: a login becomes a connection. It reads top to bottom like the provider's guide (API notes, section 2).

    link token ──► connect ──► exchange ──► token written back ──► status … Connected
                     once        once        before any waiting

Nothing here repeats `connect` or `exchange`: each is sent once, and only a plain 429, which reaches no utility,
sends it again. Any status that needs a person is remembered, so that no later run submits the login either.
"""

from __future__ import annotations

import asyncio
from typing import Any

from source_linkless.concurrency.handover import Emit
from source_linkless.concurrency.waiting import pause, time
from source_linkless.config import Config, Step
from source_linkless.errors import Actor, Meaning, Problem, Status, Then
from source_linkless.linking.answering import answered, corrected
from source_linkless.linking.echoes import finished
from source_linkless.linking.events import Event
from source_linkless.linking.running import Ended, Opening, Run, at_allowed_rate, learnt, of_error, patiently
from source_linkless.linking.submitting import connect
from source_linkless.provider.api import Connection
from source_linkless.provider.outcomes import (
    CREDENTIALS,
    ERROR_CODES,
    EXCHANGE_LOST,
    LINK_STATUSES,
    REASONS,
    SUBMITTED_TWICE,
    TOO_MANY_LINKS,
    TWICE,
    UNKNOWN,
    Outcome,
    of_link_status,
    of_problem,
    of_wait,
    outcome,
)

SUBMISSION_SECONDS = 150.0
"""Time that `connect` and `exchange` get together at least: no deadline may strike between them and lose the token."""


async def open_connection(run: Run, opening: Opening) -> Connection:
    """Return the connection of a login, linking it first if it must be and may be.

    Raises Ended when the login needs a person or may not be submitted, Problem when the provider refused before
    anything was submitted, TimeoutError at the deadline. The token is written back before this waits for anything.
    """
    login, step = opening.login, run.links.step(opening.login)
    if opening.announced or step in (Step.LINK, Step.UPDATE):
        return await _submit(run, opening)
    token, refused = run.links.token(login), run.links.refused(login)
    if step is Step.REFUSED or refused:
        opening.concern = refusal(refused or "")
    elif step is Step.EXHAUSTED:
        opening.concern = outcome(TWICE, SUBMITTED_TWICE)
    if token is None:
        raise Ended(opening.concern or outcome(TWICE, SUBMITTED_TWICE))
    return Connection(token, run.links.connection_id(login))


def refusal(reason: str) -> Outcome:
    """Return the outcome of a login that was refused before: said again, without submitting it again."""
    tables = LINK_STATUSES, REASONS, ERROR_CODES
    return outcome(reason, next((table[reason] for table in tables if reason in table), CREDENTIALS))


async def relink(run: Run, opening: Opening, problem: Problem) -> Connection:
    """Link a login once more whose written token the provider does not know; a token of the user's own ends it."""
    login = opening.login
    if opening.sent or login.access_token or run.links.token(login) is None:
        raise Ended(of_problem(problem))
    run.links.forget_token(login)
    return await open_connection(run, opening)


def announce(run: Run, openings: list[Opening]) -> None:
    """Note every login that is about to be submitted, so that one message announces them all.

    Where a link that does not fit would be lost, only those are announced that fit; the others are never submitted.
    """
    for opening in openings:
        if run.links.step(opening.login) in (Step.LINK, Step.UPDATE):
            _announce(run, opening)


def _announce(run: Run, opening: Opening) -> bool:
    if not opening.announced:
        if run.only_if_remembered and not run.links.has_room():
            return False
        run.links.announce(opening.login)
        opening.announced = True
    return True


async def _submit(run: Run, opening: Opening) -> Connection:
    old_token = run.links.token(opening.login)
    opening.updating = old_token is not None
    opening.connection_id = run.links.connection_id(opening.login)
    if not _announce(run, opening):
        raise Ended(outcome("CONFIGURATION_FULL", TOO_MANY_LINKS))
    try:
        async with run.deadline.applied():
            await run.written()
            options = link_options(run.config, old_token)
            link_token = await patiently(run, opening, lambda: run.api.create_link_token(options))
            learnt(run, opening, link_token)
    except (Problem, TimeoutError):
        withdraw(run, opening)  # nothing has reached the utility
        raise
    connection = None
    while connection is None:
        try:
            connected = await _submitted(run, opening, link_token, old_token)
        except (Ended, Problem) as failure:
            return _unchanged(opening, old_token, failure)
        await run.written()
        async with run.deadline.applied():
            connection = await _until_connected(run, opening, link_token, connected)
        old_token = connected.access_token
    return connection


def _unchanged(opening: Opening, old_token: str | None, failure: Ended | Problem) -> Connection:
    """An update that failed leaves the connection as it was, with the data it has; a new login has nothing."""
    is_about_keys = isinstance(failure, Problem) and failure.meaning.then is Then.ASK_KEYS
    if old_token is None or is_about_keys:
        raise failure
    opening.concern = of_error(failure)
    return Connection(old_token, opening.connection_id)


async def _submitted(run: Run, opening: Opening, link_token: str, old_token: str | None) -> Connection:
    try:
        async with asyncio.timeout(max(SUBMISSION_SECONDS, run.deadline.left())):
            return await _connect_and_exchange(run, opening, link_token, old_token)
    except TimeoutError:
        if not opening.is_out:  # it never had its turn, or was told each time to come later
            run.links.withdraw(opening.login)
            raise Ended(of_wait(opening.reason)) from None
        raise Ended(outcome("TIMEOUT", EXCHANGE_LOST)) from None  # counted: it may have reached the utility


async def finish(run: Run, opening: Opening, result: Outcome, emit: Emit[Event]) -> None:
    """Tell the end of a login that was linked or looked at, without a document."""
    withdraw(run, opening)
    await emit(finished(run, opening, result, time() - opening.started))


def withdraw(run: Run, opening: Opening) -> None:
    """Take back the announcement of a login that was not submitted in the end."""
    if opening.announced:
        opening.announced = False
        run.links.withdraw(opening.login)


def link_options(config: Config, old_token: str | None) -> dict[str, Any]:
    """Body of `/link/token/create`: only what the user set; the team's defaults hold for the rest."""
    if old_token is not None:
        return {"update": {"access_token": old_token, "mode": "UpdateCredentials"}}
    wanted = {"auto_refresh": config.auto_refresh, "parsing_method": config.parsing_method}
    return {name: value for name, value in wanted.items() if value is not None}


async def _connect_and_exchange(run: Run, opening: Opening, link_token: str, old_token: str | None) -> Connection:
    """Submit the login and get hold of its token: the part that must not be cut in two."""
    opening.sent, opening.announced = True, False
    try:
        public_token = await connect(run, opening, link_token)
    except Problem as problem:
        if not opening.is_out:
            run.links.withdraw(opening.login)
            raise
        if not problem.reached or (problem.meaning.status is Status.FAILED and problem.meaning.actor is Actor.USER):
            run.links.withdraw(opening.login)  # refused before it could reach the utility
        await _submission_failed(run, opening, problem)
        raise
    if old_token is not None and (opening.updating or public_token is None):
        run.links.remember(opening.login)
        return Connection(old_token, run.links.connection_id(opening.login))
    if public_token is None:
        raise Ended(outcome("UNEXPECTED_ANSWER", UNKNOWN, "/link/connect without public_token"))
    return await _exchange(run, opening, learnt(run, opening, public_token))


async def _exchange(run: Run, opening: Opening, public_token: str) -> Connection:
    try:
        connected = await at_allowed_rate(run, opening, lambda: run.api.exchange(public_token))
    except Problem as problem:
        await _submission_failed(run, opening, problem)
        raise
    learnt(run, opening, connected.access_token)
    run.links.remember(opening.login, connected.access_token, connected.connection_id)
    opening.connection_id = connected.connection_id
    return connected


async def _submission_failed(run: Run, opening: Opening, problem: Problem) -> None:
    """Remember what a failed submission means; raises Ended unless the problem speaks for itself."""
    meaning = problem.meaning
    if meaning.status is Status.NEEDS_USER:
        run.links.refuse(opening.login, problem.reason)
    await run.written()
    if meaning.then in (Then.RETRY, Then.WAIT, Then.ASK_CONTEXT):
        raise Ended(outcome(problem.reason, EXCHANGE_LOST, problem.detail)) from problem


async def _until_connected(run: Run, opening: Opening, link_token: str, connected: Connection) -> Connection | None:
    """Poll the status until the login is accepted (API notes, section 2.4).

    None: a person has corrected the refused password, and the login goes once more into the same link session.
    """
    started = time()
    run.waiting += 1
    try:
        while True:
            meaning = await _link_status(run, opening, link_token)
            if meaning.then in (Then.PROCEED, Then.ASK_CONTEXT):
                return connected
            if meaning.then is Then.STOP and not await answered(run, opening, link_token):
                return None if await corrected(run, opening) else await _refused(run, opening, connected, meaning)
            await pause(run.pace.between_status_polls(time() - started, run.waiting))
    finally:
        run.waiting -= 1


async def _link_status(run: Run, opening: Opening, link_token: str) -> Meaning:
    try:
        opening.reason = await patiently(run, opening, lambda: run.api.link_status(link_token))
    except Problem as problem:
        if problem.meaning.then is not Then.ASK_CONTEXT and problem.meaning.status is not Status.NEEDS_USER:
            raise
        opening.reason = problem.reason
        return problem.meaning
    return of_link_status(opening.reason)


async def _refused(run: Run, opening: Opening, connected: Connection, meaning: Meaning) -> Connection:
    """The utility did not take the login: over for a new one; an existing connection still has its data."""
    result = outcome(opening.reason, meaning)
    if meaning.status is Status.NEEDS_USER:
        run.links.refuse(opening.login, opening.reason)
        await run.written()
    if not opening.updating:
        raise Ended(result)
    opening.concern = result
    return connected
