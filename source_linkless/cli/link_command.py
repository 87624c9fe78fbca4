"""The command `linkless link`: which logins are submitted, the handshake with a person at hand, the dry run.

What happens to a login:

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

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from source_linkless.cli.commands import INTERRUPTED, MASK, OK, PERSON, Setting, code_of, request
from source_linkless.cli.screen import Screen, line_of, wrapped
from source_linkless.cli.workspace import Draft, Workspace, lacks_password
from source_linkless.config import Login, Step
from source_linkless.errors import Status
from source_linkless.linking import by_hand, events
from source_linkless.provider.outcomes import ACCOUNTS, CODE, CREDENTIALS, QUESTION, Outcome

_LATER = "(from the answer)"
_ANSWERABLE = {CODE.advice, QUESTION.advice, ACCOUNTS.advice}


async def link(setting: Setting, draft: Draft, keys: Collection[str], *, is_dry_run: bool) -> int:
    """Link every login that needs it, or the named ones, and write the configuration; returns the exit code."""
    await fill_passwords(setting, draft, is_dry_run=is_dry_run)
    workspace = draft.opened(setting.surroundings)
    choice = chosen(workspace, keys, has_person=setting.person is not None)
    if is_dry_run:
        setting.screen.say("\n".join(_planned(workspace, choice)))
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
    left: list[tuple[Login, Outcome]] = field(default_factory=list)
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
        if result.message == CREDENTIALS.advice:
            choice.refused_password.append(login)
        elif is_named or (has_person and result.message in _ANSWERABLE):
            links.ask_again(login)
            choice.submitted.append(login)
        else:
            choice.left.append((login, result))


def _planned(workspace: Workspace, choice: Choice) -> Iterator[str]:
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
