"""The commands `linkless sources`, `status` and `forget`, and what all commands share: setting and exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from source_linkless.cli.prompting import PersonAtTerminal
from source_linkless.cli.screen import Screen, advice, printable, sources_table, table, wrapped
from source_linkless.cli.workspace import Draft, Workspace
from source_linkless.config import Login
from source_linkless.errors import Actor, Status
from source_linkless.linking import Surroundings, by_hand
from source_linkless.provider.outcomes import Outcome

OK, FAILED, WRONG, PERSON, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: all is well; it failed; the command or the configuration is wrong; a person is needed; Ctrl-C."""
MASK = "********"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a command runs: the network and the clocks, both outputs, and a person if there is one."""

    surroundings: Surroundings
    screen: Screen
    person: PersonAtTerminal | None

    def say(self, text: str) -> None:
        """Print a sentence as a result."""
        self.screen.say(wrapped(text))


async def search(setting: Setting, source: Path, text: str) -> int:
    """Print the utilities whose name contains a text; returns the exit code."""
    config = Draft(source).keys_only(setting.surroundings)
    found = await by_hand.find_sources(config, setting.surroundings, text)
    if not found:
        setting.say(f"No utility has '{text}' in its name. Try a shorter part of it.")
        return FAILED
    setting.screen.say(sources_table(found))
    return OK


async def status(setting: Setting, source: Path, *, as_json: bool) -> int:
    """Print the health of every connection; returns the exit code."""
    workspace = Draft(source).opened(setting.surroundings)
    found = await by_hand.look_at_all(workspace.config, workspace.links, workspace.surroundings)
    if as_json:
        setting.screen.say(json.dumps([facts_of(one) for one in found], indent=2, ensure_ascii=False))
    else:
        setting.screen.say(_standings_table(found))
    return code_of([one.outcome for one in found])


def code_of(outcomes: Sequence[Outcome]) -> int:
    """Return 3 when a person must act, 1 when something else is wrong, else 0."""
    bad = [one for one in outcomes if one.status in (Status.NEEDS_USER, Status.FAILED)]
    if any(one.actor is Actor.USER for one in bad):
        return PERSON
    return FAILED if bad else OK


def facts_of(standing: by_hand.Standing) -> dict[str, Any]:
    """Return the facts of a connection for a program; what is unknown is null."""
    context, result = standing.context, standing.outcome
    facts = {
        "status": result.status.value,
        "reason": result.reason,
        "actor": result.actor.value,
        "message": result.message or None,
        "connection_id": context and context.connection_id,
        "source_id": (context and context.source_id) or standing.login.source_id,
        "source_name": context and context.source_name,
        "accounts": context and context.account_count,
        "since": context and context.since,
    }
    shown = {name: printable(value) if isinstance(value, str) else value for name, value in facts.items()}
    return {"key": standing.login.key, **shown}


def _standings_table(found: Sequence[by_hand.Standing]) -> str:
    """Return the health of connections as a table, and below it what to do about each that is not well."""
    rows = [
        (
            one.login.key,
            one.outcome.status.value.replace("_", " "),
            one.outcome.reason,
            ((one.context and one.context.since) or "")[:10],
            one.context and one.context.account_count,
        )
        for one in found
    ]
    notes = [
        wrapped(f"{one.login.key}: {advice(one.outcome, has_person=True)}", "  ")
        for one in found
        if one.outcome.status is not Status.READY and one.outcome.message
    ]
    shown = table("Key", "Status", "Reason", "Since", "Accounts", rows=rows)
    return "\n".join([shown, *([""] if notes else []), *notes])


async def forget(setting: Setting, source: Path, key: str, *, is_dry_run: bool) -> int:
    """Delete a connection at the provider, and its link and entry in the configuration; returns the exit code."""
    workspace = Draft(source).opened(setting.surroundings)
    login = workspace.login(key)
    if is_dry_run:
        setting.screen.say("\n".join(_planned(workspace, login)))
        return OK
    if setting.person is None:
        setting.say("Nothing was deleted: type the confirmation in a terminal, or look with --dry-run.")
        return PERSON
    heading = [wrapped(f"This deletes the connection {key} and all its data at the provider, permanently.")]
    if not await setting.person.confirm(heading, key):
        setting.say("Nothing was deleted.")
        return FAILED
    workspace.prove_writable()
    was_known = await by_hand.destroy(workspace.config, workspace.links, workspace.surroundings, login)
    workspace.forget(login)
    setting.say(_forgotten(workspace, login, was_known=was_known))
    return OK


def _forgotten(workspace: Workspace, login: Login, *, was_known: bool) -> str:
    done = "deleted at the provider" if was_known else "not known to the provider"
    text = f"{login.key}: {done}; its entry and link are removed from {workspace.file.target}."
    if not workspace.text.entries:
        text += (
            " It was the only login: the keys and options stay in the file, and a sync with it fails, without "
            "submitting anything, until you enter another login."
        )
    return f"{text} Copies elsewhere (the form of an Airbyte source, a backup) still hold it: remove it there too."


def _planned(workspace: Workspace, login: Login) -> Iterator[str]:
    """Yield what the dry run prints."""
    if workspace.links.token(login) is None:
        yield wrapped(f"{login.key}: not linked, so nothing would be sent.", "  ")
    else:
        yield from request(workspace, "/connection/destroy", {"access_token": MASK})
    yield wrapped(f"The entry and the link of {login.key} would be removed from {workspace.file.target}.")


def request(workspace: Workspace, path: str, payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that show a request of a dry run."""
    yield wrapped(f"  POST {workspace.config.api_url}{path}", "  ")
    yield wrapped(f"    {json.dumps(payload, ensure_ascii=False)}", "    ")
