"""The commands `linkless sources`, `status`, `forget` and `link`, and what all commands share: setting and exit codes.

What `link` does with a login:

    no token, or changed since ──────────────► submitted
    named by its key ────────────────────────► submitted again, refused or not: a person asked for it
    refused: a code, a question, accounts ───► submitted when a person is there to answer
    refused: the password ───────────────────► never unchanged: a person may type another
    refused: anything else ──────────────────► left until it is named
    linked, and nothing has changed ─────────► left

All logins are linked at once; one question is asked at a time. Ctrl-C ends every wait, but a login that is being
submitted gets its token first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from source_linkless.cli.prompting import PersonAtTerminal
from source_linkless.cli.screen import Screen, advice, line_of, printable, sources_table, table, wrapped
from source_linkless.cli.workspace import Draft, Workspace, lacks_password
from source_linkless.config import Login, Step
from source_linkless.errors import Actor, Status
from source_linkless.linking import Surroundings, by_hand, events
from source_linkless.provider import outcomes

OK, FAILED, WRONG, PERSON, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: all is well; it failed; the command or the configuration is wrong; a person is needed; Ctrl-C."""
MASK = "********"
_LATER = "(from the answer)"
_ANSWERABLE = {outcomes.CODE.advice, outcomes.QUESTION.advice, outcomes.ACCOUNTS.advice}


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


def code_of(ends: Sequence[outcomes.Outcome]) -> int:
    """Return 3 when a person must act, 1 when something else is wrong, else 0."""
    bad = [one for one in ends if one.status in (Status.NEEDS_USER, Status.FAILED)]
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
        setting.screen.say("\n".join(_plan_of_forget(workspace, login)))
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


def _plan_of_forget(workspace: Workspace, login: Login) -> Iterator[str]:
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


async def link(setting: Setting, draft: Draft, keys: Collection[str], *, is_dry_run: bool) -> int:
    """Link every login that needs it, or the named ones, and write the configuration; returns the exit code."""
    await fill_passwords(setting, draft, is_dry_run=is_dry_run)
    workspace = draft.opened(setting.surroundings)
    choice = chosen(workspace, keys, has_person=setting.person is not None)
    if is_dry_run:
        setting.screen.say("\n".join(_plan_of_link(workspace, choice)))
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


async def fill_passwords(setting: Setting, draft: Draft, *, is_dry_run: bool) -> None:
    """Ask for each password that the configuration does not hold; without a person the parser reports it."""
    for number, entry in enumerate(draft.text.entries):
        if lacks_password(entry):
            name = str(entry.get("key") or entry.get("username"))
            password = "typed later" if is_dry_run else None
            if setting.person is not None and password is None:
                password = await setting.person.missing_password(name)
            if password is not None:
                draft.text = draft.text.with_password(number, password)


async def _correct(setting: Setting, choice: Choice) -> None:
    """Ask for another password for each login whose password was refused."""
    for login in choice.refused_password:
        other = await setting.person.correct(login) if setting.person else None
        if other is None:
            choice.left.append((login, by_hand.refusal("InvalidCredentials")))
        else:
            choice.submitted.append(other)


async def _linked(setting: Setting, workspace: Workspace, choice: Choice) -> int:
    has_person = setting.person is not None

    def tell(end: events.Finished) -> None:
        setting.screen.say(line_of(end.login.key, end.outcome, end.waited, has_person=has_person))

    passwords = setting.person.passwords if setting.person else {}
    linking = HandLinking(workspace, setting.screen, setting.person, passwords, tell)
    await linking.link(choice.submitted)
    done = sum(end.outcome.status is Status.READY for end in linking.ends)
    setting.say(f"Linked: {done} of {len(linking.ends)}. Configuration written to {workspace.file.target}.")
    if linking.is_interrupted:
        return INTERRUPTED
    return code_of([*(end.outcome for end in linking.ends), *(result for _, result in choice.left)])


@dataclass(slots=True)
class Choice:
    """What happens to each login; `left` are refused logins that cannot be helped here, each with its outcome."""

    submitted: list[Login] = field(default_factory=list)
    refused_password: list[Login] = field(default_factory=list)
    left: list[tuple[Login, outcomes.Outcome]] = field(default_factory=list)
    linked: list[Login] = field(default_factory=list)


def chosen(workspace: Workspace, keys: Collection[str], *, has_person: bool) -> Choice:
    """Sort the logins, or the named ones; a submission that nothing in the login asks for is noted in the links.

    Raises a config error for a key that is not configured.
    """
    named = {workspace.login(key).key for key in keys}
    choice = Choice()
    for login in workspace.config.logins:
        if not named or login.key in named:
            _sort(workspace, choice, login, is_named=login.key in named, has_person=has_person)
    return choice


def _sort(workspace: Workspace, choice: Choice, login: Login, *, is_named: bool, has_person: bool) -> None:
    links = workspace.links
    reason = links.refused(login)
    if login.access_token or (reason is None and links.step(login) is Step.USE and not is_named):
        choice.linked.append(login)
    elif reason is None:
        if links.step(login) is Step.USE:
            links.ask_again(login)
        choice.submitted.append(login)
    else:
        result = by_hand.refusal(reason)
        if result.message == outcomes.CREDENTIALS.advice:
            choice.refused_password.append(login)
        elif is_named or (has_person and result.message in _ANSWERABLE):
            links.ask_again(login)
            choice.submitted.append(login)
        else:
            choice.left.append((login, result))


def _plan_of_link(workspace: Workspace, choice: Choice) -> Iterator[str]:
    """Yield what the command would do with each login; every secret is masked."""
    for login in choice.submitted:
        yield from _submission(workspace, login)
    for login in choice.refused_password:
        yield wrapped(f"{login.key}: nothing is sent before you type another password: it was refused.", "  ")
    for login, _ in choice.left:
        yield wrapped(f"{login.key}: left as it is; it needs a person.", "  ")
    for login in choice.linked:
        yield wrapped(f"{login.key}: left as it is; it has its token.", "  ")


def _submission(workspace: Workspace, login: Login) -> Iterator[str]:
    step = workspace.links.step(login)
    if step is Step.EXHAUSTED:
        yield wrapped(f"{login.key}: left as it is; it was {step.value}.", "  ")
        return
    is_update = step is Step.UPDATE
    options = by_hand.link_options(workspace.config, MASK if is_update else None)
    yield f"{login.key}: would {step.value}"
    yield from request(workspace, "/link/token/create", options)
    credentials = {"username": login.username, "password": MASK} if login.fields is None else _masked(login.fields)
    payload = {"link_token": _LATER, "source_id": login.source_id, **credentials}
    yield from request(workspace, "/link/connect", payload)
    if not is_update:
        yield from request(workspace, "/connection/public_token/exchange", {"public_token": _LATER})
    yield from request(workspace, "/link/connection/status", {"link_token": _LATER})


def _masked(fields: Mapping[str, str]) -> dict[str, Any]:
    return {"fields": [{"field_name": name, "field_value": MASK} for name in fields]}


class HandLinking:
    """One run of `linkless link`; `ends` tells how each login ended, `is_interrupted` whether by Ctrl-C."""

    def __init__(
        self,
        workspace: Workspace,
        screen: Screen,
        person: by_hand.Person | None,
        passwords: Mapping[str, str],
        tell: Callable[[events.Finished], None],
    ) -> None:
        """Prepare; `passwords` are typed ones by key, which are written with the links."""
        self._workspace, self._screen, self._person = workspace, screen, person
        self._passwords, self._tell = passwords, tell
        self.ends: list[events.Finished] = []
        self.is_interrupted = False

    async def link(self, logins: Sequence[Login]) -> None:
        """Link all logins at once. Raises Problem when the keys are refused, FileProblem when a token was lost."""
        workspace = self._workspace
        try:
            await by_hand.link(
                workspace.config,
                workspace.links,
                workspace.surroundings,
                logins,
                self._person,
                self,
            )
        finally:
            self._screen.rest()

    def watch(self, waiting: Sequence[events.Waiting]) -> None:
        """Show the logins that are still waited for."""
        self._screen.watch(waiting)

    def tell(self, event: events.Event) -> None:
        """Write links, and print what has ended. Raises FileProblem."""
        match event:
            case events.LinksChanged():
                self._workspace.keep(self._passwords)
            case events.Finished():
                self.ends.append(event)
                self._tell(event)
            case events.Stopping():
                self.is_interrupted = True
                self._screen.note("Stopping: what is being submitted is finished first. Ctrl-C again ends at once.")
