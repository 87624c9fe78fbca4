"""Which logins `linkless link` submits.

From what is remembered of a login to what happens to it:

    no token, or changed since ──────────────► submitted
    named with --key ────────────────────────► submitted again, refused or not: a person says so
    refused: a code, a question, accounts ───► submitted when a person is there to answer
    refused: the password ───────────────────► never as it is: a person may type another
    refused: anything else ──────────────────► left until it is named
    linked, and nothing has changed ─────────► left
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from source_linkless.cli.workspace import Workspace
from source_linkless.config import Login, Step
from source_linkless.errors import invalid_configuration
from source_linkless.linking.handshake import refusal
from source_linkless.provider.outcomes import ACCOUNTS, CODE, CREDENTIALS, QUESTION, Outcome

_ANSWERABLE = {CODE.advice, QUESTION.advice, ACCOUNTS.advice}


@dataclass(slots=True)
class Choice:
    """What happens to each login: `left` are refused ones that nobody can help here, with the reason."""

    submitted: list[Login] = field(default_factory=list)
    refused_password: list[Login] = field(default_factory=list)
    left: list[tuple[Login, Outcome]] = field(default_factory=list)
    linked: list[Login] = field(default_factory=list)


def chosen(workspace: Workspace, keys: Collection[str], *, has_person: bool) -> Choice:
    """Sort the logins; those that are submitted although nothing changed are marked so in the links.

    Raises a config error for a key that is not configured.
    """
    unknown = sorted(key for key in keys if workspace.login(key) is None)
    if unknown:
        raise invalid_configuration(f"The configuration has no login with the key {', '.join(unknown)}.")
    choice = Choice()
    for login in workspace.config.logins:
        if not keys or login.key in keys:
            _sort(workspace, choice, login, is_named=login.key in keys, has_person=has_person)
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
        result = refusal(reason)
        if result.message == CREDENTIALS.advice:
            choice.refused_password.append(login)
        elif is_named or (has_person and result.message in _ANSWERABLE):
            links.ask_again(login)
            choice.submitted.append(login)
        else:
            choice.left.append((login, result))
