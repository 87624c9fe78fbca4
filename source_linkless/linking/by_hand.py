"""Linking with a person: a command links logins and has questions answered, looks at connections, reads and deletes.

    status asks ──► question fetched ──► person ──► answer sent ──► status looked at again
                                            └─ the status moves on by itself, or five minutes pass: no answer

The provider works on an answer for a while, so the same status just after it is not yet a new question
(API notes, sections 2.4 and 2.5).
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from source_linkless.concurrency import waiting
from source_linkless.config import Config, Login, Step
from source_linkless.errors import Actor, Problem, Status, Then
from source_linkless.json_files import FileProblem
from source_linkless.linking import handshake
from source_linkless.linking.events import Finished, StillWaiting, Stopping
from source_linkless.linking.opening import look_at, still_waiting
from source_linkless.linking.running import Opening, Run
from source_linkless.provider import Account, Api, outcomes
from source_linkless.provider.outcomes import READY, Outcome, outcome

MASK = "********"  # what a dry run shows in the place of a secret
ANSWER_SECONDS = 300.0  # how long the provider waits for a person (API notes, section 2.4)
_WATCH_SECONDS = 0.25
_ACCOUNTS, _WRONG_ANSWER = "AccountSelection", "MfaQuestionInvalidAnswer"
# The link statuses that a person can answer here; captcha and choice of method have no endpoint.
_ANSWERABLE = {"MfaQuestion", _WRONG_ANSWER, "SecurityQuestion", _ACCOUNTS}
_MOST_WRONG = 1  # one more try after a wrong answer
_MOST_ANSWERS = 6  # so that a login with many questions ends
_PATIENT_LOOKS = 3
_failed = partial(Outcome, Status.FAILED, Actor.USER, None)
_later = partial(Outcome, Status.PENDING)
_NOT_WRITTEN = _failed("NOT_WRITTEN", "The configuration could not be written; link this login again.")
_NOT_SUBMITTED = _failed("INTERRUPTED", "It was not submitted.")
_NOT_LINKED = _later(Actor.CONNECTOR, None, "NOT_LINKED", "Not linked yet: the next sync links it, or `linkless link`.")
_NOT_TOLD = _later(Actor.PROVIDER, None, "NOT_TOLD", "The provider does not tell how it is; a sync will show.")
_NO_TOKEN = Outcome(Status.NEEDS_USER, Actor.USER, None, "NO_PUBLIC_TOKEN", "The form ended without a public token.")


class Person(Protocol):
    """A person at a terminal. Each method returns None when no answer is given; all may be cancelled at any moment.

    A question takes an answer until the event loop's time `ends`, in seconds. `passwords` has those corrected, by key.
    """

    passwords: dict[str, str]

    async def answer(self, login: Login, question: str, ends: float, *, is_repeated: bool = False) -> str | None:
        """Return the code or the answer to a security question; `is_repeated` after a wrong one."""

    async def choose(self, login: Login, accounts: Sequence[Account], ends: float) -> Sequence[str] | None:
        """Return the `account_id` of every account that shall be linked."""

    async def correct(self, login: Login) -> Login | None:
        """Return the login with another password after the utility has refused it."""


def planned(config: Config, login: Login, step: Step) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and body of every request that would submit a login, with its secrets masked; sends nothing."""
    is_update = step is Step.UPDATE
    flat, later = {"username": login.username, "password": MASK}, "(from the answer)"
    form = flat if login.fields is None else handshake.named(dict.fromkeys(login.fields, MASK))
    yield "/link/token/create", handshake.link_options(config, MASK if is_update else None)
    yield "/link/connect", {"link_token": later, "source_id": login.source_id, **form}
    if not is_update:
        yield "/connection/public_token/exchange", {"public_token": later}
    yield "/link/connection/status", {"link_token": later}


async def link(run: Run, logins: Sequence[Login], person: Person | None) -> None:
    """Link logins all at once, with a person to answer what they ask. Raises FileProblem when a token was lost.

    The run emits a LinksChanged before anything else happens, where FileProblem is raised when it cannot be written;
    and a Finished for each login, a StillWaiting a few times a second, and a Stopping.

    When this is cancelled, every wait ends, and a login that is being submitted gets its token first.
    """
    openings = [Opening(run, login, answers=_Answers(person) if person else None) for login in logins]
    for opening in openings:
        handshake.announce(opening)
    with waiting.every(_WATCH_SECONDS, lambda: run.emit(StillWaiting(still_waiting(openings)))):
        work = asyncio.gather(*(opening.to_its_end(partial(_linked, opening)) for opening in openings))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            run.deadline.strike_now()
            await run.emit(Stopping())
            await work
    await run.written()


async def _linked(opening: Opening) -> Outcome:
    """Link a login; returns its outcome, that of an interruption and of a file that cannot be written included."""
    run = opening.run
    try:
        try:
            await handshake.open_connection(opening)
        except Problem as problem:
            if problem.meaning.then is not Then.RELINK:
                raise
            run.links.ask_again(opening.login)  # the link that is not known any more may be a refused one
            opening.concern = None
            await handshake.relink(opening, problem)
    except TimeoutError:
        reason = run.links.refused(opening.login)
        if not opening.sent:
            return _NOT_SUBMITTED
        return outcomes.of_refusal(reason) if reason else outcome(opening.reason, outcomes.WORKING)
    except FileProblem:
        run.deadline.strike_now()  # a disk that refuses once would lose the other tokens too
        return _NOT_WRITTEN
    return opening.concern or READY


@dataclass(slots=True)
class _Answers:
    """Has a person answer what one login asks; see `Opening.answers`."""

    person: Person
    status: str | None = None  # that was answered last
    patience: int = 0  # how often that status may be seen again before it is a new question
    answers: int = 0
    wrong: int = 0
    is_corrected: bool = False  # the password was typed again: once, as a third wrong one could lock the account

    async def __call__(self, opening: Opening, link_token: str) -> Then:
        """Have the person answer what the login waits for.

        STOP when there is nothing that a person could answer here, no answer, or a second wrong one.
        """
        reason = opening.reason
        if self.status == reason and self.patience:
            self.patience -= 1
            return Then.WAIT
        self.wrong += reason == _WRONG_ANSWER
        is_question = reason in _ANSWERABLE and self.wrong <= _MOST_WRONG and self.answers < _MOST_ANSWERS
        if not is_question and (self.is_corrected or outcomes.LINK_STATUSES.get(reason) is not outcomes.CREDENTIALS):
            return Then.STOP
        self.status, self.patience, self.answers = reason, _PATIENT_LOOKS, self.answers + 1
        try:
            if is_question:
                return Then.WAIT if await self._ask(opening, link_token) else Then.STOP
            async with asyncio.timeout(ANSWER_SECONDS):
                login = await self.person.correct(opening.login)
        except Problem:
            return Then.WAIT  # the status tells what has become of it
        except TimeoutError:
            login = None
        except asyncio.CancelledError:
            opening.run.links.refuse(opening.login, reason)  # so that no sync takes it for linked
            raise
        if login is None:
            return Then.STOP
        self.is_corrected = opening.announced = True
        opening.login = login
        opening.run.links.announce(login)
        await opening.run.written()
        return Then.RETRY

    async def _ask(self, opening: Opening, link_token: str) -> bool:
        """Ask the person as long as the question stands, and send the answer; False when there is none.

        True as well when the status has changed while the person was being asked.
        """
        login, reason, ends = opening.login, opening.reason, waiting.time() + ANSWER_SECONDS
        asking: Coroutine[Any, Any, Any]
        send: Callable[..., Coroutine[Any, Any, None]]
        if reason == _ACCOUNTS:
            send, accounts = Api.select_accounts, await opening.ask(lambda api: api.accounts(link_token))
            asking = self.person.choose(login, accounts, ends)
        else:
            send, text = Api.answer, await opening.ask(lambda api: api.question(link_token))
            asking = self.person.answer(login, text, ends, is_repeated=reason == _WRONG_ANSWER)
        task = asyncio.create_task(asking)
        try:
            while not task.done() and (left := ends - waiting.time()) > 0:
                await asyncio.wait({task}, timeout=min(opening.run.config.poll_interval_seconds, left))
                if not task.done() and await opening.run.api.link_status(link_token) != reason:
                    return True
            answer: Any = task.result() if task.done() else None
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if answer is not None:
            await opening.ask(lambda api: send(api, link_token, answer), once=True)
        return answer is not None


async def link_token(run: Run, login: Login) -> str:
    """Return a link token for the provider's form: one that updates a connection if there is one. Raises Problem."""
    opening, old = Opening(run, login), run.links.token(login)
    options = handshake.link_options(run.config, old)
    try:
        return opening.learn(await opening.ask(lambda api: api.create_link_token(options)))
    except Problem as problem:
        if old is None or problem.meaning.then is not Then.RELINK:
            raise
    run.links.forget_token(login)  # the provider does not know the connection any more
    return await link_token(run, login)


async def exchange(run: Run, login: Login, public_token: object, write: Callable[[], object]) -> Outcome:
    """Exchange the public token of the provider's form for a link; an update keeps its token and needs none.

    `write` is called whenever the links have changed, before anything else happens; raises what it raises.
    """
    token, given = run.links.token(login) or "", public_token if isinstance(public_token, str) else ""
    if not (given or token):
        return _NO_TOKEN
    run.links.ask_again(login)
    run.links.announce(login)
    write()
    result = READY
    try:
        await handshake.exchange(Opening(run, login, token=token, is_update=bool(token)), given)
    except Problem as problem:
        run.links.withdraw(login)
        result = outcomes.of_problem(problem)
    write()
    return result


async def look_at_all(run: Run) -> list[Finished]:
    """Ask for the health of every connection at once, in the order of the configuration; submits nothing."""
    openings = [Opening(run, login, token=run.links.token(login) or "") for login in run.config.logins]
    return await asyncio.gather(*(opening.to_its_end(partial(_standing, opening)) for opening in openings))


async def _standing(opening: Opening) -> Outcome:
    """Judge a connection; what was seen while it was linked says more than the reason of its last session."""
    refused = opening.run.links.refused(opening.login)
    try:
        async with opening.run.deadline.applied():
            context = await look_at(opening) if opening.token else None
    except TimeoutError:
        return outcome("TIMEOUT", outcomes.PROVIDER_DOWN)
    if refused and (context is None or context.meaning.status is Status.NEEDS_USER):
        return outcomes.of_refusal(refused)
    if context is None:
        return _NOT_TOLD if opening.token else _NOT_LINKED
    return READY if context.meaning.status is Status.READY else context.outcome


async def destroy(run: Run, login: Login) -> bool:
    """Delete a connection at the provider; returns whether it knew it. Raises Problem when the provider refuses."""
    try:
        await run.ask(lambda api: api.destroy(run.links.token(login) or ""))
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        return False
    return True
