"""Linking with a person at hand: the handshake of the connector, every login at once, one question at a time.

Ctrl-C ends every wait, yet a login that is being submitted gets its token first: it is submitted or it is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from source_linkless.cli.config_file import FileProblem
from source_linkless.cli.screen import Screen
from source_linkless.cli.workspace import Workspace
from source_linkless.concurrency.handover import Emit
from source_linkless.concurrency.waiting import every, time
from source_linkless.config import Login
from source_linkless.errors import Actor, Problem, Status, Then
from source_linkless.linking.asking import Person
from source_linkless.linking.events import Event, Finished, LinksChanged
from source_linkless.linking.handshake import announce, finish, open_connection, refusal, relink
from source_linkless.linking.opening import test_keys
from source_linkless.linking.orchestration import new_run
from source_linkless.linking.running import Opening, Run, of_error
from source_linkless.provider.api import Connection
from source_linkless.provider.outcomes import READY, WORKING, Outcome, outcome

_LOOK_SECONDS = 0.25
_NOT_WRITTEN = Outcome(
    Status.FAILED, Actor.USER, None, "NOT_WRITTEN", "The configuration could not be written; link this login again."
)
_NOT_SUBMITTED = Outcome(Status.FAILED, Actor.USER, None, "INTERRUPTED", "It was not submitted.")


class HandLinking:
    """One run of `linkless link`; `ends` tells how each login ended, `is_interrupted` whether by Ctrl-C."""

    def __init__(
        self,
        workspace: Workspace,
        screen: Screen,
        person: Person | None,
        passwords: Mapping[str, str],
        tell: Callable[[Finished], None],
    ) -> None:
        """Prepare; `passwords` are typed ones by key, which are written with the links."""
        self._workspace, self._screen, self._person = workspace, screen, person
        self._passwords, self._tell = passwords, tell
        self.ends: list[Finished] = []
        self.is_interrupted = False

    async def link(self, logins: Sequence[Login]) -> None:
        """Link all logins at once. Raises Problem when the keys are refused, FileProblem when a token got lost."""
        config = self._workspace.config
        run = new_run(
            config, self._workspace.links, self._workspace.surroundings, self._emit, config.data_timeout_seconds
        )
        run.person = self._person
        await test_keys(run)
        openings = [Opening(login, time()) for login in logins]
        announce(run, openings)
        beside = asyncio.create_task(every(_LOOK_SECONDS, lambda: self._screen.watch(openings)))
        try:
            await self._to_the_end(run, openings)
        finally:
            beside.cancel()
            self._screen.rest()
        await run.written()

    async def _to_the_end(self, run: Run, openings: Sequence[Opening]) -> None:
        work = asyncio.gather(*(_link(run, opening, self._emit) for opening in openings))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self.is_interrupted = True
            run.deadline.strike_now()
            self._screen.note("Stopping: what is being submitted is finished first. Ctrl-C again ends at once.")
            await work

    async def _emit(self, event: Event, *, urgent: bool = False) -> None:  # noqa: ARG002 - nothing queues here
        match event:
            case LinksChanged():
                self._workspace.keep(self._passwords)
            case Finished():
                self.ends.append(event)
                self._tell(event)


async def _link(run: Run, opening: Opening, emit: Emit[Event]) -> None:
    """Bring one login to its end; whatever happens to it must not cost the others."""
    try:
        await _connection(run, opening)
        opening.outcome = opening.concern or READY
    except Exception as error:  # noqa: BLE001 - see above
        opening.outcome = _outcome_of(run, opening, error)
    await finish(run, opening, opening.outcome, emit)


async def _connection(run: Run, opening: Opening) -> Connection:
    try:
        return await open_connection(run, opening)
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        run.links.ask_again(opening.login)  # the link that is not known any more may be a refused one
        opening.concern = None
        return await relink(run, opening, problem)


def _outcome_of(run: Run, opening: Opening, error: Exception) -> Outcome:
    match error:
        case TimeoutError() if not opening.sent:
            return _NOT_SUBMITTED
        case TimeoutError():
            reason = run.links.refused(opening.login)
            return refusal(reason) if reason else outcome(opening.reason, WORKING)
        case FileProblem():
            run.deadline.strike_now()  # a disk that refuses once would cost the other tokens too
            return _NOT_WRITTEN
        case _:
            return of_error(error)
