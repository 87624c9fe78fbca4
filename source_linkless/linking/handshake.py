"""The handshake: a login becomes a connection. It reads top to bottom like the provider's guide (API notes, section 2).

    link token ──► connect ──► exchange ──► token written back ──► status … Connected
                     once        once        before any waiting

Nothing here repeats `connect` or `exchange`: each is sent once, and only a plain 429, which reaches no utility,
sends it again. Any status that needs a person is remembered, so that no later run submits the login either.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from source_linkless.concurrency import waiting
from source_linkless.config import Config, Step
from source_linkless.errors import Actor, Problem, Status, Then
from source_linkless.linking.running import Ended, Opening
from source_linkless.provider import Api, outcomes
from source_linkless.provider.outcomes import outcome

SUBMISSION_SECONDS = 150.0  # least time of `connect` and `exchange`: a deadline between them would lose the token
_TO_SUBMIT = Step.LINK, Step.UPDATE


async def open_connection(opening: Opening) -> None:
    """Find the token of a login, linking it first if it must be and may be.

    Raises Ended when the login needs a person or may not be submitted, Problem when the provider refused before
    anything was submitted, TimeoutError at the deadline. The token is written back before this waits for anything.
    """
    login, links = opening.login, opening.run.links
    step, refused = links.step(login), links.refused(login)
    opening.token, opening.connection_id = links.token(login) or "", links.connection_id(login)
    if opening.announced or step in _TO_SUBMIT:
        await _link(opening)
        return
    if step is Step.REFUSED or refused:
        opening.concern = outcomes.of_refusal(refused or "")
    elif step is Step.EXHAUSTED:
        opening.concern = outcomes.own("SUBMITTED_TWICE")
    if opening.concern and not opening.token:
        raise Ended(opening.concern)


async def relink(opening: Opening, problem: Problem) -> None:
    """Link a login again whose written token the provider does not know; a token of the user's own ends the login."""
    login, links = opening.login, opening.run.links
    if opening.sent or login.access_token or links.token(login) is None:
        raise Ended(outcomes.of_problem(problem))
    links.forget_token(login)
    await open_connection(opening)


def announce(opening: Opening) -> bool:
    """Note that a login is about to be submitted, if it is to be, so that one message can announce a whole fleet.

    Where a link that does not fit would be lost, only logins are announced that fit; the others are never submitted.
    Returns whether it is announced.
    """
    run, login = opening.run, opening.login
    may_be = not opening.announced and run.links.step(login) in _TO_SUBMIT
    if may_be and (not run.surroundings.is_cloud() or run.links.has_room()):
        run.links.announce(login)
        opening.announced = True
    return opening.announced


def link_options(config: Config, old_token: str | None) -> dict[str, Any]:
    """Return the body of `/link/token/create`: what the user set; the team's defaults hold for the rest."""
    if old_token:
        return {"update": {"access_token": old_token, "mode": "UpdateCredentials"}}
    wanted = {"auto_refresh": config.auto_refresh, "parsing_method": config.parsing_method}
    return {name: value for name, value in wanted.items() if value is not None}


async def _link(opening: Opening) -> None:
    run = opening.run
    opening.is_update = bool(opening.token)
    if not announce(opening):
        raise Ended(outcomes.own("CONFIGURATION_FULL"))
    try:
        async with run.deadline.applied():
            await run.written()
            options = link_options(run.config, opening.token)
            link_token = opening.learn(await opening.ask(lambda api: api.create_link_token(options)))
    except (Problem, TimeoutError):
        opening.withdraw()  # nothing has reached the utility
        raise
    is_decided = False
    while not is_decided:
        try:
            await _submit(opening, link_token)
        except (Ended, Problem) as failure:
            is_about_keys = isinstance(failure, Problem) and failure.meaning.then is Then.ASK_KEYS
            if not opening.token or is_about_keys:
                raise
            opening.concern = opening.outcome_of(failure)  # the connection as it was still has its data
            return
        await run.written()
        async with run.deadline.applied():
            is_decided = await _is_decided(opening, link_token)


async def _submit(opening: Opening, link_token: str) -> None:
    """Submit the login and get its token: the part that must not be interrupted."""
    run, login, is_taken = opening.run, opening.login, False
    opening.sent, opening.announced = True, False
    try:
        async with asyncio.timeout(max(SUBMISSION_SECONDS, run.deadline.left())):
            public_token = await _connect(opening, link_token)
            is_taken = True
            await exchange(opening, public_token)
    except TimeoutError as cut_off:
        if opening.is_out:  # counted: it may have reached the utility
            raise Ended(outcome("TIMEOUT", outcomes.EXCHANGE_LOST)) from None
        run.links.withdraw(login)  # its turn never came, or each answer was to come later
        raise Ended(opening.outcome_of(cut_off)) from None
    except Problem as problem:
        meaning = problem.meaning
        is_refused = meaning.status is Status.FAILED and meaning.actor is Actor.USER
        if not is_taken and (is_refused or not opening.is_out or not problem.reached):
            run.links.withdraw(login)  # refused before it could reach the utility
        if not opening.is_out:
            raise
        if meaning.status is Status.NEEDS_USER:
            run.links.refuse(login, problem.reason)
        await run.written()
        if meaning.then in (Then.RETRY, Then.WAIT, Then.ASK_CONTEXT):
            raise Ended(outcome(problem.reason, outcomes.EXCHANGE_LOST, problem.detail)) from problem
        raise


async def _connect(opening: Opening, link_token: str) -> str | None:
    """Submit the login in the form of the guide; in the other published form if the provider does not take that.

    A form that is refused as invalid has reached no utility, so the second form is no second submission. Returns the
    public token, or None in update mode.
    """
    login, flat = opening.login, {"username": opening.login.username, "password": opening.login.password}
    try:
        return await _send(opening, link_token, flat if login.fields is None else named(login.fields))
    except Problem as problem:
        is_form_invalid = login.fields is None and problem.reason == outcomes.VALIDATION_FAILED
        fields = await _fields_of_source(opening, link_token) if is_form_invalid else {}
        if not fields:
            raise
    return await _send(opening, link_token, named(fields))


async def _send(opening: Opening, link_token: str, form: dict[str, Any]) -> str | None:
    """Submit one form, and note whether it may have reached the utility."""

    def sending() -> None:
        opening.is_out = True
        opening.note_request()

    async def connect(api: Api) -> str | None:
        try:
            return await api.noting(sending).connect(link_token, opening.login.source_id or "", form)
        except Problem as problem:
            is_early = problem.meaning.then is Then.SLOW_DOWN
            opening.is_out = problem.reason != outcomes.VALIDATION_FAILED and not is_early
            raise

    return await opening.ask(connect, once=True)


def named(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the form of a login whose fields have names of their own."""
    return {"fields": [{"field_name": name, "field_value": value} for name, value in fields.items()]}


async def _fields_of_source(opening: Opening, link_token: str) -> dict[str, str]:
    """Name username and password as this utility's form does: its first Text and its first Password field."""
    login = opening.login
    sources = await opening.ask(lambda api: api.sources(link_token, source_id=login.source_id or ""))
    fields = [entry for source in sources[:1] for entry in source.get("fields") or [] if isinstance(entry, dict)]
    names = {str(entry.get("field_type")): entry.get("field_name") for entry in reversed(fields)}
    text, password = names.get("Text"), names.get("Password")
    if not (text and password):
        return {}
    return {name: value for name, value in ((text, login.username), (password, login.password)) if value}


async def exchange(opening: Opening, public_token: str | None) -> None:
    """Exchange a public token for the access token and remember it; an update keeps the token that there is."""
    login, links = opening.login, opening.run.links
    if opening.token and (opening.is_update or public_token is None):
        links.remember(login)
        return
    if public_token is None:
        raise Ended(outcomes.own("UNEXPECTED_ANSWER", "/link/connect without public_token"))
    opening.learn(public_token)
    connected = await opening.ask(lambda api: api.exchange(public_token), once=True)
    opening.token, opening.connection_id = opening.learn(connected.access_token), connected.connection_id
    links.remember(login, connected.access_token, connected.connection_id)


async def _is_decided(opening: Opening, link_token: str) -> bool:
    """Poll the status until the login is accepted or refused (API notes, section 2.4).

    A refusal is over for a new login, which raises Ended; an existing connection still has its data. False: a person
    has corrected the refused password, and the login goes once more into the same link session.
    """
    run, started = opening.run, waiting.time()
    run.waiting += 1
    try:
        while True:
            try:
                opening.reason = await opening.ask(lambda api: api.link_status(link_token))
                meaning = outcomes.of_link_status(opening.reason)
            except Problem as problem:
                if problem.meaning.then is not Then.ASK_CONTEXT and problem.meaning.status is not Status.NEEDS_USER:
                    raise
                opening.reason, meaning = problem.reason, problem.meaning
            then = meaning.then
            if then is Then.STOP and opening.answers:
                then = await opening.answers(opening, link_token)
            if then is Then.STOP:
                opening.concern = outcome(opening.reason, meaning)
                if meaning.status is Status.NEEDS_USER:
                    run.links.refuse(opening.login, opening.reason)
                    await run.written()
                if not opening.is_update:
                    raise Ended(opening.concern)
            if then is not Then.WAIT:
                return then is not Then.RETRY
            await waiting.pause(run.pace.between_status_polls(waiting.time() - started, run.waiting))
    finally:
        run.waiting -= 1
