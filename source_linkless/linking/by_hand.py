"""What a person does by hand: link logins and answer what they ask, look at connections, find a utility, delete one.

    status asks ──► question fetched ──► person ──► answer sent ──► status looked at again
                                            └─ the status moves on by itself, or five minutes pass: no answer

The provider works on an answer for a while, so the same status just after it is not yet a new question
(API notes, sections 2.4 and 2.5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from source_linkless.concurrency import waiting
from source_linkless.config import Config, Links, Login
from source_linkless.errors import Actor, Problem, Status, Then
from source_linkless.json_files import FileProblem
from source_linkless.linking.events import Event, StillWaiting, Stopping
from source_linkless.linking.handshake import announce, link_options, open_connection, refusal, relink
from source_linkless.linking.opening import look_at, still_waiting
from source_linkless.linking.running import Opening, Run, Surroundings
from source_linkless.provider import Account, Body, Context, StatementFile
from source_linkless.provider.outcomes import (
    CREDENTIALS,
    LINK_STATUSES,
    PROVIDER_DOWN,
    READY,
    WORKING,
    Outcome,
    of_problem,
    outcome,
)

__all__ = [
    "Files",
    "Form",
    "Person",
    "Question",
    "Standing",
    "destroy",
    "find_sources",
    "link",
    "link_options",
    "look_at_all",
    "refusal",
]

ANSWER_SECONDS = 300.0
"""How long the provider waits for a person (API notes, section 2.4)."""
_WATCH_SECONDS = 0.25
_WRONG_ANSWER = "MfaQuestionInvalidAnswer"
_MOST_WRONG = 1  # one more try after a wrong answer
_MOST_ANSWERS = 6  # so that a login with many questions ends
_PATIENT_LOOKS = 3
_NOT_WRITTEN = Outcome(
    Status.FAILED, Actor.USER, None, "NOT_WRITTEN", "The configuration could not be written; link this login again."
)
_NOT_SUBMITTED = Outcome(Status.FAILED, Actor.USER, None, "INTERRUPTED", "It was not submitted.")
_NOT_LINKED = Outcome(
    Status.PENDING, Actor.CONNECTOR, None, "NOT_LINKED", "Not linked yet: the next sync links it, or `linkless link`."
)
_NOT_TOLD = Outcome(
    Status.PENDING, Actor.PROVIDER, None, "NOT_TOLD", "The provider does not tell how it is; a sync will show."
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the provider."""

    login: Login
    text: str
    ends: float
    """The event loop's time, in seconds, at which an answer is no longer taken."""
    is_repeated: bool = field(default=False)
    """Whether the answer before was wrong."""


class Person(Protocol):
    """A person at a terminal. Each method returns None when no answer is given; all may be cancelled at any moment."""

    passwords: dict[str, str]
    """The corrected passwords by key."""

    async def answer(self, question: Question) -> str | None:
        """Return the code or the answer to a security question."""

    async def choose(self, login: Login, accounts: Sequence[Account], ends: float) -> Sequence[str] | None:
        """Return the `account_id` of every account that shall be linked."""

    async def correct(self, login: Login) -> Login | None:
        """Return the login with another password after the utility has refused it."""


async def link(
    config: Config,
    links: Links,
    surroundings: Surroundings,
    logins: Sequence[Login],
    person: Person | None,
    tell: Callable[[Event], None],
) -> None:
    """Link logins all at once, with a person to answer what they ask.

    `tell` takes a LinksChanged before anything else happens, and raises FileProblem when it could not write them; and a
    Finished for each login, a StillWaiting a few times a second, and a Stopping.

    When this is cancelled, every wait ends, and a login that is being submitted gets its token first.

    Raises Problem when the keys are refused or the provider is out of reach, FileProblem when a token was lost.
    """

    async def emit(event: Event, *, urgent: bool = False) -> None:  # noqa: ARG001 - nothing queues here
        tell(event)

    run = Run(config, links, surroundings, emit, config.data_timeout_seconds)
    run.answers = _Answers(person) if person else None
    await run.test_keys()
    openings = [Opening(run, login) for login in logins]
    for opening in openings:
        announce(opening)
    beside = asyncio.create_task(waiting.every(_WATCH_SECONDS, lambda: tell(StillWaiting(still_waiting(openings)))))
    work = asyncio.gather(*(_link_login(opening) for opening in openings))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        run.deadline.strike_now()
        tell(Stopping())
        await work
    finally:
        beside.cancel()
    await run.written()


async def _link_login(opening: Opening) -> None:
    run = opening.run

    async def explained(error: Exception) -> Outcome:
        match error:
            case TimeoutError() if not opening.sent:
                return _NOT_SUBMITTED
            case TimeoutError():
                reason = run.links.refused(opening.login)
                return refusal(reason) if reason else outcome(opening.reason, WORKING)
            case FileProblem():
                run.deadline.strike_now()  # a disk that refuses once would lose the other tokens too
                return _NOT_WRITTEN
            case _:
                return opening.outcome_of(error)

    await opening.to_its_end(lambda: _linked(opening), explained)


async def _linked(opening: Opening) -> Outcome:
    try:
        await open_connection(opening)
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        opening.run.links.ask_again(opening.login)  # the link that is not known any more may be a refused one
        opening.concern = None
        await relink(opening, problem)
    return opening.concern or READY


class _MovedOn(Exception):  # noqa: N818 - not an error
    """The status has changed while a person was being asked."""


@dataclass(slots=True)
class _Said:
    """What a person has answered for one login."""

    status: str | None = None
    """The status that was answered last, and `patience`: how often it may be seen again before it is a new question."""
    patience: int = 0
    answers: int = 0
    wrong: int = 0
    is_corrected: bool = False
    """Whether the password was typed again: once, as a third wrong one could lock the account."""

    def note(self, status: str) -> None:
        """Note an answer to a status."""
        self.status, self.patience = status, _PATIENT_LOOKS
        self.answers += 1

    def is_being_worked_on(self, status: str) -> bool:
        """Tell whether the provider may still be working on the answer to this status."""
        if self.status != status or not self.patience:
            return False
        self.patience -= 1
        return True

    def has_failed(self, status: str) -> bool:
        """Tell whether no further answer may be given."""
        self.wrong += status == _WRONG_ANSWER
        return self.wrong > _MOST_WRONG or self.answers >= _MOST_ANSWERS


class _Answers:
    """Has a person answer what logins ask; see `running.Answers`."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._said: dict[str, _Said] = {}

    async def answered(self, opening: Opening, link_token: str) -> bool:
        """Have a person answer what this login waits for; True means: look at the status again.

        False when there is nothing that a person could answer here, no answer, or a second wrong one.
        """
        said = self._said.setdefault(opening.login.key, _Said())
        if said.is_being_worked_on(opening.reason):
            return True
        ask = _ASK.get(opening.reason)
        if ask is None or said.has_failed(opening.reason):
            return False
        said.note(opening.reason)
        try:
            return await _or_remember(opening, ask(self._person, opening, link_token))
        except (Problem, _MovedOn):
            return True  # the status tells what has become of it

    async def corrected(self, opening: Opening) -> bool:
        """Let a person correct a refused password, once; True: announced and ready to be submitted in this session."""
        said = self._said.setdefault(opening.login.key, _Said())
        if said.is_corrected or LINK_STATUSES.get(opening.reason) is not CREDENTIALS:
            return False
        login = None
        with suppress(TimeoutError):
            asking = asyncio.wait_for(self._person.correct(opening.login), ANSWER_SECONDS)
            login = await _or_remember(opening, asking)
        if login is None:
            return False
        said.note(opening.reason)
        said.is_corrected = True
        opening.login, opening.announced = login, True
        opening.run.links.announce(login)
        await opening.run.written()
        return True


async def _or_remember(opening: Opening, asking: Awaitable[T]) -> T:
    """Await a person; when that is cut off, remember what the login waits for, so that no sync takes it for linked."""
    try:
        return await asking
    except asyncio.CancelledError:
        opening.run.links.refuse(opening.login, opening.reason)
        raise


async def _question(person: Person, opening: Opening, link_token: str) -> bool:
    ends = waiting.time() + ANSWER_SECONDS
    text = await opening.ask(lambda api: api.question(link_token))
    question = Question(opening.login, text, ends, is_repeated=opening.reason == _WRONG_ANSWER)
    answer = await _reply(opening, link_token, person.answer(question), ends)
    if answer is None:
        return False
    await opening.ask(lambda api: api.answer(link_token, answer), once=True)
    return True


async def _selection(person: Person, opening: Opening, link_token: str) -> bool:
    ends = waiting.time() + ANSWER_SECONDS
    accounts = await opening.ask(lambda api: api.accounts(link_token))
    chosen = await _reply(opening, link_token, person.choose(opening.login, accounts, ends), ends)
    if chosen is None:
        return False
    await opening.ask(lambda api: api.select_accounts(link_token, chosen), once=True)
    return True


_ASK: Mapping[str, Callable[[Person, Opening, str], Coroutine[Any, Any, bool]]] = MappingProxyType(
    {
        "MfaQuestion": _question,
        _WRONG_ANSWER: _question,
        "SecurityQuestion": _question,
        "AccountSelection": _selection,
    }
)
"""The link statuses that a person can answer here; captcha and choice of method have no endpoint."""


async def _reply(opening: Opening, link_token: str, asking: Coroutine[Any, Any, T | None], ends: float) -> T | None:
    """Wait for a person, no longer than the question stands; raises _MovedOn when the status changes meanwhile."""
    task = asyncio.ensure_future(asking)
    try:
        while not task.done() and waiting.time() < ends:
            await asyncio.wait({task}, timeout=min(opening.run.config.poll_interval_seconds, ends - waiting.time()))
            if not task.done() and await opening.run.api.link_status(link_token) != opening.reason:
                raise _MovedOn
        return task.result() if task.done() else None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Form:
    """Links logins through the provider's own form in a browser: link token and exchange are ours, the rest is its own.

    `write` is called whenever the links have changed; it raises FileProblem when it cannot write them.
    """

    SECONDS = 24 * 3600.0
    """How long a person may take in all."""

    def __init__(self, run: Run, write: Callable[[], object]) -> None:
        """Use a run whose keys were tested."""
        self._run, self._write = run, write

    @classmethod
    async def opened(
        cls, config: Config, links: Links, surroundings: Surroundings, write: Callable[[], object]
    ) -> Form:
        """Test the keys. Raises Problem when they are refused, TimeoutError when that takes too long."""
        run = Run(config, links, surroundings, _ignored, cls.SECONDS)
        await asyncio.wait_for(run.test_keys(), config.check_timeout_seconds)
        return cls(run, write)

    async def link_token(self, login: Login) -> tuple[str, bool]:
        """Return a link token, and whether it updates the credentials of a connection that exists. Raises Problem."""
        run, old = self._run, self._run.links.token(login)
        try:
            token = await run.ask(lambda api: api.create_link_token(link_options(run.config, old)))
        except Problem as problem:
            if old is None or problem.meaning.then is not Then.RELINK:
                raise
            run.links.forget_token(login)  # the provider does not know the connection any more
            return await self.link_token(login)
        run.surroundings.mask(token)
        return token, old is not None

    async def taken(self, login: Login, public_token: str | None) -> Outcome:
        """Exchange a public token, and write the link before anything else happens; an update keeps its token."""
        run, links = self._run, self._run.links
        links.ask_again(login)
        links.announce(login)
        self._write()
        try:
            if public_token is None:
                links.remember(login)
            else:
                run.surroundings.mask(public_token)
                connection = await run.ask(lambda api: api.exchange(public_token), once=True)
                run.surroundings.mask(connection.access_token)
                links.remember(login, connection.access_token, connection.connection_id)
        except Problem as problem:
            links.withdraw(login)
            self._write()
            return of_problem(problem)
        self._write()
        return READY


class Files:
    """Reads documents and the files of their bills, of connections that exist; submits nothing."""

    def __init__(self, run: Run) -> None:
        """Use a run whose keys were tested."""
        self._run = run

    @classmethod
    async def opened(cls, config: Config, links: Links, surroundings: Surroundings) -> Files:
        """Test the keys. Raises Problem when they are refused, TimeoutError when that takes too long."""
        run = Run(config, links, surroundings, _ignored, config.data_timeout_seconds)
        await run.test_keys()
        return cls(run)

    async def document(self, login: Login) -> Body:
        """Return the document of a linked login. Raises Problem, one that is not ready included."""
        run, token = self._run, self._run.links.token(login) or ""
        async with run.deadline.applied():
            return await run.ask(lambda api: api.document(token))

    async def statement_file(self, login: Login, statement_id: str) -> StatementFile:
        """Return the original document of a bill. Raises Problem; its status is NO_DATA when there is none."""
        run, token = self._run, self._run.links.token(login) or ""
        async with run.deadline.applied():
            return await run.ask(lambda api: api.statement_file(token, statement_id))


@dataclass(frozen=True, slots=True)
class Standing:
    """The health of one connection."""

    login: Login
    outcome: Outcome
    context: Context | None = None


async def look_at_all(config: Config, links: Links, surroundings: Surroundings) -> list[Standing]:
    """Ask for the health of every connection at once, in the order of the configuration; submits nothing.

    Raises Problem when the keys are refused or the provider is out of reach.
    """
    run = Run(config, links, surroundings, _ignored, config.data_timeout_seconds)
    await run.test_keys()
    return list(await asyncio.gather(*(_standing(run, login) for login in config.logins)))


async def _ignored(event: Event, *, urgent: bool = False) -> None:
    """Drop what a run reports: nothing changes that would have to be written."""


async def _standing(run: Run, login: Login) -> Standing:
    reason = run.links.refused(login)
    token = run.links.token(login)
    if token is None:
        return Standing(login, refusal(reason) if reason else _NOT_LINKED)
    opening = Opening(run, login, token=token)
    try:
        async with run.deadline.applied():
            context = await look_at(opening)
    except Problem as problem:
        return Standing(login, opening.outcome_of(problem))
    except TimeoutError:
        return Standing(login, outcome("TIMEOUT", PROVIDER_DOWN))
    if context is None:
        return Standing(login, refusal(reason) if reason else _NOT_TOLD)
    return Standing(login, _judged(context, reason), context)


def _judged(context: Context, refused: str | None) -> Outcome:
    """Judge a connection; what was seen while it was linked says more than the reason of its last session."""
    status = context.meaning.status
    if status is Status.NEEDS_USER and refused:
        return refusal(refused)
    return READY if status is Status.READY else context.outcome


async def find_sources(config: Config, surroundings: Surroundings, text: str) -> list[dict[str, Any]]:
    """Return the utilities whose name contains a text, as the provider describes them. Raises Problem."""
    links = Links(replace(config, links="{}"), surroundings.now, surroundings.new_salt)
    run = Run(config, links, surroundings, _ignored, config.check_timeout_seconds)
    await run.test_keys()
    async with run.deadline.applied():
        link_token = await run.ask(lambda api: api.create_link_token({}))
        return await run.ask(lambda api: api.search_sources(link_token, text))


async def destroy(config: Config, links: Links, surroundings: Surroundings, login: Login) -> bool:
    """Delete a connection at the provider; returns whether it had one. Raises Problem when the provider refuses."""
    token = links.token(login)
    if token is None:
        return False
    run = Run(config, links, surroundings, _ignored, config.check_timeout_seconds)
    await run.test_keys()
    try:
        await run.ask(lambda api: api.destroy(token))
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        return False
    return True
