"""What each command does, from an opened file to an exit code; `cli` knows how it is called."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from source_linkless.cli import rehearsal
from source_linkless.cli.choosing import Choice, chosen
from source_linkless.cli.config_text import lacks_password
from source_linkless.cli.hand_linking import HandLinking
from source_linkless.cli.prompting import PersonAtTerminal
from source_linkless.cli.screen import Screen
from source_linkless.cli.standing import standings
from source_linkless.cli.tables import sources_table, standings_table
from source_linkless.cli.wording import line_of, wrapped
from source_linkless.cli.workspace import Draft, Workspace
from source_linkless.config import Links, Login
from source_linkless.errors import Actor, Problem, Status, Then, invalid_configuration
from source_linkless.linking.events import Finished
from source_linkless.linking.handshake import refusal
from source_linkless.linking.opening import test_keys
from source_linkless.linking.orchestration import Surroundings, new_run
from source_linkless.linking.running import Run, patiently
from source_linkless.provider.outcomes import Outcome

OK, FAILED, WRONG, PERSON, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: all is well; it failed; the command or the configuration is wrong; a person is needed; Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a command runs: the network and the clocks, both outputs, and a person if there is one."""

    surroundings: Surroundings
    screen: Screen
    person: PersonAtTerminal | None

    def say(self, text: str) -> None:
        """Tell a sentence as a result."""
        self.screen.say(wrapped(text))


async def search(setting: Setting, source: Path, text: str) -> int:
    """Find utilities by a part of their name."""
    config = replace(Draft(source).keys_only(), links="{}")
    links = Links(config, setting.surroundings.now, setting.surroundings.new_salt)
    run = new_run(config, links, setting.surroundings, _nothing_to_write, config.check_timeout_seconds)
    await test_keys(run)
    found = await _found(run, text)
    if not found:
        setting.say(f"No utility has '{text}' in its name. Try a shorter part of it.")
        return FAILED
    setting.screen.say(sources_table(found))
    return OK


async def _found(run: Run, text: str) -> list[dict[str, object]]:
    async with run.deadline.applied():
        link_token = await patiently(run, None, lambda: run.api.create_link_token({}))
        return await patiently(run, None, lambda: run.api.search_sources(link_token, text))


async def _nothing_to_write(event: object, *, urgent: bool = False) -> None:
    """Searching changes nothing that would have to be written."""


async def status(setting: Setting, source: Path, *, as_json: bool) -> int:
    """Show how every connection is."""
    found = await standings(Draft(source).opened(setting.surroundings))
    if as_json:
        setting.screen.say(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False))
    else:
        setting.screen.say(standings_table(found))
    return _code([one.outcome for one in found])


def _code(outcomes: Sequence[Outcome]) -> int:
    """Return 3 when a person must act, 1 when something else is wrong."""
    bad = [one for one in outcomes if one.status in (Status.NEEDS_USER, Status.FAILED)]
    if any(one.actor is Actor.USER for one in bad):
        return PERSON
    return FAILED if bad else OK


async def forget(setting: Setting, source: Path, key: str, *, is_rehearsal: bool) -> int:
    """Delete a connection at the provider, and its link and entry in the configuration."""
    workspace = Draft(source).opened(setting.surroundings)
    login = workspace.login(key)
    if login is None:
        raise invalid_configuration(f"The configuration has no login with the key {key}.")
    if is_rehearsal:
        setting.screen.say("\n".join(rehearsal.forgetting(workspace, login)))
        return OK
    if setting.person is None:
        setting.say("Nothing was deleted: type the confirmation in a terminal, or look with --dry-run.")
        return PERSON
    heading = [wrapped(f"This deletes the connection {key} and all its data at the provider, for ever.")]
    if not await setting.person.confirm(heading, key):
        setting.say("Nothing was deleted.")
        return FAILED
    workspace.prove_writable()
    was_known = await _destroyed(workspace, login)
    workspace.forget(login)
    setting.say(_forgotten(workspace, login, was_known=was_known))
    return OK


async def _destroyed(workspace: Workspace, login: Login) -> bool:
    """Delete the connection; False when the provider has none. Raises Problem when it does not do it."""
    token = workspace.links.token(login)
    if token is None:
        return False
    config = workspace.config
    run = new_run(config, workspace.links, workspace.surroundings, _nothing_to_write, config.check_timeout_seconds)
    await test_keys(run)
    try:
        await patiently(run, None, lambda: run.api.destroy(token))
    except Problem as problem:
        if problem.meaning.then is not Then.RELINK:
            raise
        return False
    return True


def _forgotten(workspace: Workspace, login: Login, *, was_known: bool) -> str:
    done = "deleted at the provider" if was_known else "not known to the provider"
    text = f"{login.key}: {done}; its entry and link are removed from {workspace.file.target}."
    if not workspace.text.entries:
        text += (
            " It was the only login: the keys and options stay in the file, and a sync with it fails, without "
            "submitting anything, until you enter another login."
        )
    return f"{text} Copies elsewhere (the form of an Airbyte source, a backup) still hold it: remove it there too."


async def link(setting: Setting, draft: Draft, keys: Collection[str], *, is_rehearsal: bool) -> int:
    """Link every login that needs it, or the named ones, and write the configuration."""
    await _fill_passwords(setting, draft, is_rehearsal=is_rehearsal)
    workspace = draft.opened(setting.surroundings)
    choice = chosen(workspace, keys, has_person=setting.person is not None)
    if is_rehearsal:
        setting.screen.say("\n".join(rehearsal.linking(workspace, choice)))
        return OK
    await _correct(setting, choice)
    for login, result in choice.left:
        setting.screen.say(line_of(login.key, result, 0, has_person=setting.person is not None))
    if choice.submitted or draft.file.target != draft.file.source:
        workspace.prove_writable()
    if not choice.submitted:
        setting.say(f"Nothing to submit: {len(choice.linked)} linked, {len(choice.left)} left. See `linkless status`.")
        return PERSON if choice.left else OK
    return await _linked(setting, workspace, choice)


async def _fill_passwords(setting: Setting, draft: Draft, *, is_rehearsal: bool) -> None:
    """Have the passwords typed that the configuration does not hold; without a person the parser says so."""
    for number, entry in enumerate(draft.text.entries):
        if lacks_password(entry):
            name = str(entry.get("key") or entry.get("username"))
            password = "typed later" if is_rehearsal else None
            if setting.person is not None and password is None:
                password = await setting.person.missing_password(name)
            if password is not None:
                draft.text = draft.text.with_password(number, password)


async def _correct(setting: Setting, choice: Choice) -> None:
    """Have another password typed for every login whose password was refused."""
    for login in choice.refused_password:
        other = await setting.person.correct(login) if setting.person else None
        if other is None:
            choice.left.append((login, refusal("InvalidCredentials")))
        else:
            choice.submitted.append(other)


async def _linked(setting: Setting, workspace: Workspace, choice: Choice) -> int:
    has_person = setting.person is not None

    def tell(end: Finished) -> None:
        setting.screen.say(line_of(end.login.key, end.outcome, end.waited, has_person=has_person))

    passwords = setting.person.passwords if setting.person else {}
    linking = HandLinking(workspace, setting.screen, setting.person, passwords, tell)
    await linking.link(choice.submitted)
    done = sum(end.outcome.status is Status.READY for end in linking.ends)
    setting.say(f"Linked: {done} of {len(linking.ends)}. Configuration written to {workspace.file.target}.")
    if linking.is_interrupted:
        return INTERRUPTED
    return _code([*(end.outcome for end in linking.ends), *(result for _, result in choice.left)])
