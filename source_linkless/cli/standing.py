"""How every connection is, asked without submitting anything (`linkless status`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from source_linkless.cli.workspace import Workspace
from source_linkless.concurrency.waiting import time
from source_linkless.config import Login
from source_linkless.errors import Actor, Problem, Status
from source_linkless.linking.echoes import without_echoes, without_echoes_in
from source_linkless.linking.events import Event
from source_linkless.linking.handshake import refusal
from source_linkless.linking.opening import test_keys, with_good_keys
from source_linkless.linking.orchestration import new_run
from source_linkless.linking.refreshing import look_at
from source_linkless.linking.running import Opening, Run
from source_linkless.provider.api import Connection, Context
from source_linkless.provider.outcomes import PROVIDER_DOWN, READY, Outcome, of_context, outcome

_NOT_LINKED = Outcome(
    Status.PENDING, Actor.CONNECTOR, None, "NOT_LINKED", "Not linked yet: the next sync links it, or `linkless link`."
)
_NOT_TOLD = Outcome(
    Status.PENDING, Actor.PROVIDER, None, "NOT_TOLD", "The provider does not tell how it is; a sync will show."
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one login is."""

    login: Login
    outcome: Outcome
    context: Context | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the facts for a program; what is unknown is null."""
        context, result = self.context, self.outcome
        return {
            "key": self.login.key,
            "status": result.status.value,
            "reason": result.reason,
            "actor": result.actor.value,
            "message": result.message or None,
            "connection_id": context and context.connection_id,
            "source_id": (context and context.source_id) or self.login.source_id,
            "source_name": context and context.source_name,
            "accounts": context and context.account_count,
            "since": context and context.since,
        }


async def standings(workspace: Workspace) -> list[Standing]:
    """Ask for the health of every connection at once, in the order of the configuration.

    Raises Problem when the keys are refused or the provider is out of reach.
    """
    config = workspace.config
    run = new_run(config, workspace.links, workspace.surroundings, _ignored, config.data_timeout_seconds)
    await test_keys(run)
    return list(await asyncio.gather(*(_standing(run, login) for login in config.logins)))


async def _ignored(event: Event, *, urgent: bool = False) -> None:
    """Looking changes nothing that would have to be written."""


async def _standing(run: Run, login: Login) -> Standing:
    reason = run.links.refused(login)
    token = run.links.token(login)
    if token is None:
        return Standing(login, refusal(reason) if reason else _NOT_LINKED)
    opening = Opening(login, time())
    try:
        async with run.deadline.applied():
            context = await look_at(run, opening, Connection(token))
    except Problem as problem:
        return Standing(login, without_echoes(run, opening, with_good_keys(problem)))
    except TimeoutError:
        return Standing(login, outcome("TIMEOUT", PROVIDER_DOWN))
    if context is None:
        return Standing(login, refusal(reason) if reason else _NOT_TOLD)
    told = without_echoes_in(run, opening, context)
    return Standing(login, without_echoes(run, opening, _judged(context, reason)), told)


def _judged(context: Context, refused: str | None) -> Outcome:
    """Judge a connection; what was seen while it was linked says more than the reason of its last session."""
    meaning = of_context(context.status, context.reason)
    if meaning.status is Status.NEEDS_USER and refused:
        return refusal(refused)
    if meaning.status is Status.READY:
        return READY
    return outcome(context.reason or context.status, meaning)
