"""The handshake: a login becomes a connection. It reads top to bottom like the provider's guide (API notes, section 2).

    link token ──► connect ──► exchange ──► token written back ──► status … Connected
                     once        once        before any waiting

Nothing here repeats `connect` or `exchange`: each is sent once, and only a plain 429, which reaches no utility,
sends it again. Any status that needs a person is remembered, so that no later run submits the login either.
"""

from __future__ import annotations

import asyncio
from typing import Any

from source_linkless.concurrency import waiting
from source_linkless.config import Config, Step
from source_linkless.errors import Actor, Meaning, Problem, Status, Then
from source_linkless.linking.running import (
    Ended,
    Opening,
    Run,
    at_allowed_rate,
    learnt,
    of_deadline,
    of_error,
    patiently,
)
from source_linkless.provider import Connection, outcomes
from source_linkless.provider.outcomes import Outcome, outcome

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
        opening.concern = outcome(outcomes.TWICE, outcomes.SUBMITTED_TWICE)
    if token is None:
        raise Ended(opening.concern or outcome(outcomes.TWICE, outcomes.SUBMITTED_TWICE))
    return Connection(token, run.links.connection_id(login))


def refusal(reason: str) -> Outcome:
    """Return the outcome of a login that was refused before: reported again, without submitting it again."""
    tables = outcomes.LINK_STATUSES, outcomes.REASONS, outcomes.ERROR_CODES
    meaning = next((table[reason] for table in tables if reason in table), outcomes.CREDENTIALS)
    return outcome(reason, meaning)


async def relink(run: Run, opening: Opening, problem: Problem) -> Connection:
    """Link a login again whose written token the provider does not know; a token of the user's own ends the login."""
    login = opening.login
    if opening.sent or login.access_token or run.links.token(login) is None:
        raise Ended(outcomes.of_problem(problem))
    run.links.forget_token(login)
    return await open_connection(run, opening)


def announce(run: Run, openings: list[Opening]) -> None:
    """Note every login that is about to be submitted, so that one message announces them all.

    Where a link that does not fit would be lost, only those are announced that fit; the others are never submitted.
    """
    for opening in openings:
        if run.links.step(opening.login) in (Step.LINK, Step.UPDATE):
            _announce(run, opening)


def withdraw(run: Run, opening: Opening) -> None:
    """Take back the announcement of a login that was not submitted in the end."""
    if opening.announced:
        opening.announced = False
        run.links.withdraw(opening.login)


def link_options(config: Config, old_token: str | None) -> dict[str, Any]:
    """Return the body of `/link/token/create`: what the user set; the team's defaults hold for the rest."""
    if old_token is not None:
        return {"update": {"access_token": old_token, "mode": "UpdateCredentials"}}
    wanted = {"auto_refresh": config.auto_refresh, "parsing_method": config.parsing_method}
    return {name: value for name, value in wanted.items() if value is not None}


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
        raise Ended(outcome("CONFIGURATION_FULL", outcomes.TOO_MANY_LINKS))
    try:
        async with run.deadline.applied():
            await run.written()
            options = link_options(run.config, old_token)
            link_token = await patiently(run, opening, lambda: run.ask(opening).create_link_token(options))
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
    """Return the old connection after an update that failed: it still has its data. Raises for a new login."""
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
        if not opening.is_out:  # its turn never came, or each answer was to come later
            run.links.withdraw(opening.login)
            raise Ended(of_deadline(opening)) from None
        raise Ended(outcome("TIMEOUT", outcomes.EXCHANGE_LOST)) from None  # counted: it may have reached the utility


async def _connect_and_exchange(run: Run, opening: Opening, link_token: str, old_token: str | None) -> Connection:
    """Submit the login and get its token: the part that must not be interrupted."""
    opening.sent, opening.announced = True, False
    try:
        public_token = await _connect(run, opening, link_token)
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
        raise Ended(outcome("UNEXPECTED_ANSWER", outcomes.UNKNOWN, "/link/connect without public_token"))
    return await _exchange(run, opening, learnt(run, opening, public_token))


async def _connect(run: Run, opening: Opening, link_token: str) -> str | None:
    """Submit the login in the form of the guide; in the other published form if the provider does not take that.

    Returns the public token, or None in update mode. A form that is refused as invalid has reached no utility, so
    the second form is no second submission.
    """
    login = opening.login
    if login.fields is not None:
        named = list(login.fields.items())
        return await _sent(run, opening, link_token, _fields(named))
    flat = {"username": login.username, "password": login.password}
    try:
        return await _sent(run, opening, link_token, flat)
    except Problem as problem:
        is_invalid = problem.reason == outcomes.VALIDATION_FAILED
        named = await _named_fields(run, opening, link_token) if is_invalid else []
        if not named:
            raise
    return await _sent(run, opening, link_token, _fields(named))


async def _sent(run: Run, opening: Opening, link_token: str, form: dict[str, Any]) -> str | None:
    """Submit one form, and note whether it may have reached the utility."""

    def sending() -> None:
        opening.is_out = True

    async def connect() -> str | None:
        try:
            source_id = opening.login.source_id or ""
            return await run.ask(opening).connect(link_token, source_id, form, sending=sending)
        except Problem as problem:
            is_early = problem.meaning.then is Then.SLOW_DOWN
            opening.is_out = problem.reason != outcomes.VALIDATION_FAILED and not is_early
            raise

    return await at_allowed_rate(run, opening, connect)


def _fields(named: list[tuple[str, str]]) -> dict[str, Any]:
    return {"fields": [{"field_name": name, "field_value": value} for name, value in named]}


async def _named_fields(run: Run, opening: Opening, link_token: str) -> list[tuple[str, str]]:
    """Name username and password as this utility's form does: its first Text and its first Password field."""
    login = opening.login
    sources = await patiently(run, opening, lambda: run.ask(opening).find_sources(link_token, login.source_id or ""))
    fields = [entry for source in sources[:1] for entry in source.get("fields") or [] if isinstance(entry, dict)]
    names = {str(entry.get("field_type")): entry.get("field_name") for entry in reversed(fields)}
    named = [(names.get("Text"), login.username), (names.get("Password"), login.password)]
    return [(name, value) for name, value in named if name and value] if all(name for name, _ in named) else []


async def _exchange(run: Run, opening: Opening, public_token: str) -> Connection:
    try:
        connected = await at_allowed_rate(run, opening, lambda: run.ask(opening).exchange(public_token))
    except Problem as problem:
        await _submission_failed(run, opening, problem)
        raise
    learnt(run, opening, connected.access_token)
    run.links.remember(opening.login, connected.access_token, connected.connection_id)
    opening.connection_id = connected.connection_id
    return connected


async def _submission_failed(run: Run, opening: Opening, problem: Problem) -> None:
    """Remember what a failed submission means; raises Ended unless the problem itself is the outcome."""
    meaning = problem.meaning
    if meaning.status is Status.NEEDS_USER:
        run.links.refuse(opening.login, problem.reason)
    await run.written()
    if meaning.then in (Then.RETRY, Then.WAIT, Then.ASK_CONTEXT):
        raise Ended(outcome(problem.reason, outcomes.EXCHANGE_LOST, problem.detail)) from problem


async def _until_connected(run: Run, opening: Opening, link_token: str, connected: Connection) -> Connection | None:
    """Poll the status until the login is accepted (API notes, section 2.4).

    None: a person has corrected the refused password, and the login goes once more into the same link session.
    """
    started = waiting.time()
    run.waiting += 1
    try:
        while True:
            meaning = await _link_status(run, opening, link_token)
            if meaning.then in (Then.PROCEED, Then.ASK_CONTEXT):
                return connected
            if meaning.then is Then.STOP and not (run.answers and await run.answers.answered(run, opening, link_token)):
                if run.answers and await run.answers.corrected(run, opening):
                    return None
                return await _refused(run, opening, connected, meaning)
            await waiting.pause(run.pace.between_status_polls(waiting.time() - started, run.waiting))
    finally:
        run.waiting -= 1


async def _link_status(run: Run, opening: Opening, link_token: str) -> Meaning:
    try:
        opening.reason = await patiently(run, opening, lambda: run.ask(opening).link_status(link_token))
    except Problem as problem:
        if problem.meaning.then is not Then.ASK_CONTEXT and problem.meaning.status is not Status.NEEDS_USER:
            raise
        opening.reason = problem.reason
        return problem.meaning
    return outcomes.of_link_status(opening.reason)


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
