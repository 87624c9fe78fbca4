"""What a person can answer while a login waits: codes, security questions, the choice of accounts, a new password.

    status asks ──► question fetched ──► person ──► answer sent ──► status looked at again
                                            └─ the status moves on by itself, or five minutes pass: no answer

The provider works on an answer for a while, so the same status just after it is not yet a new question
(API notes, sections 2.4 and 2.5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from source_linkless.concurrency.waiting import time
from source_linkless.errors import Problem
from source_linkless.linking.asking import Person, Question
from source_linkless.linking.running import Opening, Run, at_allowed_rate, patiently
from source_linkless.provider.outcomes import CREDENTIALS, LINK_STATUSES

ANSWER_SECONDS = 300.0
"""How long the provider waits for a person (API notes, section 2.4)."""
_WRONG_ANSWER = "MfaQuestionInvalidAnswer"
_MOST_WRONG = 1  # one more try after a wrong answer
_MOST_ANSWERS = 6  # a login of many questions ends somewhere
_PATIENT_LOOKS = 3

T = TypeVar("T")


class _MovedOn(Exception):  # noqa: N818 - good news
    """The status has changed while a person was being asked."""


async def answered(run: Run, opening: Opening, link_token: str) -> bool:
    """Have a person answer what this login waits for; True means: look at the status again.

    False when there is no person, nothing that a person could answer here, no answer, or a second wrong one.
    """
    if _is_being_worked_on(opening):
        return True
    ask = _ASK.get(opening.reason)
    if run.person is None or ask is None or _has_failed(opening):
        return False
    _note_answer(opening)
    try:
        return await _or_remember(run, opening, ask(run, run.person, opening, link_token))
    except (Problem, _MovedOn):
        return True  # the status tells what has become of it


async def corrected(run: Run, opening: Opening) -> bool:
    """Let a person correct a refused password, once; True: announced and ready to be submitted in this session."""
    if run.person is None or opening.is_corrected or LINK_STATUSES.get(opening.reason) is not CREDENTIALS:
        return False
    asking = asyncio.wait_for(run.person.correct(opening.login), ANSWER_SECONDS)
    try:
        login = await _or_remember(run, opening, asking)
    except TimeoutError:
        login = None
    if login is None:
        return False
    _note_answer(opening)
    opening.login, opening.is_corrected, opening.announced = login, True, True
    run.links.announce(login)
    await run.written()
    return True


def _is_being_worked_on(opening: Opening) -> bool:
    if opening.answered != opening.reason or not opening.patience:
        return False
    opening.patience -= 1
    return True


def _has_failed(opening: Opening) -> bool:
    opening.wrong_answers += opening.reason == _WRONG_ANSWER
    return opening.wrong_answers > _MOST_WRONG or opening.answers >= _MOST_ANSWERS


def _note_answer(opening: Opening) -> None:
    opening.answered, opening.patience = opening.reason, _PATIENT_LOOKS
    opening.answers += 1


async def _or_remember(run: Run, opening: Opening, asking: Awaitable[T]) -> T:
    """Await a person; when that is cut off, remember what the login waits for, so that no sync takes it for linked."""
    try:
        return await asking
    except asyncio.CancelledError:
        run.links.refuse(opening.login, opening.reason)
        raise


async def _question(run: Run, person: Person, opening: Opening, link_token: str) -> bool:
    ends = time() + ANSWER_SECONDS
    text = await patiently(run, opening, lambda: run.api.question(link_token))
    question = Question(opening.login, text, ends, is_repeated=opening.reason == _WRONG_ANSWER)
    answer = await _reply(run, opening, link_token, person.answer(question), ends)
    if answer is None:
        return False
    await at_allowed_rate(run, opening, lambda: run.api.answer(link_token, answer))
    return True


async def _selection(run: Run, person: Person, opening: Opening, link_token: str) -> bool:
    ends = time() + ANSWER_SECONDS
    accounts = await patiently(run, opening, lambda: run.api.accounts(link_token))
    chosen = await _reply(run, opening, link_token, person.choose(opening.login, accounts, ends), ends)
    if chosen is None:
        return False
    await at_allowed_rate(run, opening, lambda: run.api.select_accounts(link_token, chosen))
    return True


_ASK: dict[str, Callable[[Run, Person, Opening, str], Coroutine[Any, Any, bool]]] = {
    "MfaQuestion": _question,
    _WRONG_ANSWER: _question,
    "SecurityQuestion": _question,
    "AccountSelection": _selection,
}
"""The link statuses that a person can answer here; captcha and choice of method have no endpoint."""


async def _reply(
    run: Run, opening: Opening, link_token: str, asking: Coroutine[Any, Any, T | None], ends: float
) -> T | None:
    """Wait for a person, no longer than the question stands; raises _MovedOn when the status changes meanwhile."""
    task = asyncio.ensure_future(asking)
    try:
        while not task.done() and time() < ends:
            await asyncio.wait({task}, timeout=min(run.config.poll_interval_seconds, ends - time()))
            if not task.done() and await run.api.link_status(link_token) != opening.reason:
                raise _MovedOn
        return task.result() if task.done() else None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
