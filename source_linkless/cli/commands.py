"""The commands `linkless sources`, `status`, `forget` and `link`.

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

import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from source_linkless.cli import browser
from source_linkless.cli.terminal import Terminal, advice, line_of, printable, table, wrapped
from source_linkless.cli.workspace import ConfigText, Exit, Workspace, code_of, lacks_password
from source_linkless.config import Login, Step, masking
from source_linkless.errors import Status
from source_linkless.linking import by_hand, events
from source_linkless.provider import outcomes

_ANSWERABLE = {outcomes.MEANINGS[name].advice for name in ("CODE", "QUESTION", "ACCOUNTS")}


async def sources(terminal: Terminal, search: str, config: Path) -> int:
    """Print the utilities whose name contains a text; returns the exit code. The configuration needs no logins."""
    text = ConfigText.read(config)
    for secret in masking.secrets_in(text.raw):
        masking.register(secret)
    text.raw |= {"connection": {"method": "access_token", "access_token": "not used"}, "links": "{}"}
    workspace = Workspace(text)
    run = await workspace.started(workspace.config.check_timeout_seconds)
    token = await run.ask(lambda api: api.create_link_token({}))
    found = await run.ask(lambda api: api.sources(token, search=search))
    if not found:
        terminal.tell(f"No utility has '{search}' in its name. Try a shorter part of it.")
        return Exit.FAILED
    terminal.say(sources_table(found))
    return Exit.OK


def sources_table(sources: Sequence[Mapping[str, Any]]) -> str:
    """Return utilities as `/link/sources` lists them (API notes, section 2.6), an empty line between two."""
    rows: list[list[Any]] = []
    for one in sources:
        about = [one.get("name"), one.get("website")]
        for asked in one.get("fields") or ():
            if isinstance(asked, dict):
                secret = " (secret)" if asked.get("field_type") == "Password" else ""
                about.append(f"- {asked.get('field_name')}: {asked.get('field_label')}{secret}")
        rows += [[one.get("source_id"), one.get("country"), about], [None] * 3]
    return table("ID", "Country", "Utility and its login form", rows=rows[:-1])


async def status(terminal: Terminal, config: Path, *, as_json: bool) -> int:
    """Print the health of every connection; returns the exit code."""
    workspace = Workspace(ConfigText.read(config))
    found = await by_hand.look_at_all(await workspace.started(workspace.config.data_timeout_seconds))
    facts = [facts_of(one) for one in found]
    if as_json:
        terminal.say_json(facts)
    else:
        rows = [
            (one["key"], one["status"].replace("_", " "), one["reason"], (one["since"] or "")[:10], one["accounts"])
            for one in facts
        ]
        notes = [
            wrapped(f"{one.login.key}: {advice(one.outcome, has_person=True)}", "  ")
            for one in found
            if one.outcome.status is not Status.READY and one.outcome.message
        ]
        shown = table("Key", "Status", "Reason", "Since", "Accounts", rows=rows)
        terminal.say("\n".join([shown, *([""] if notes else []), *notes]))
    return code_of([one.outcome for one in found])


def facts_of(standing: events.Finished) -> dict[str, Any]:
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


async def forget(terminal: Terminal, config: Path, key: str, *, dry_run: bool) -> int:
    """Delete a connection at the provider, and its link and entry in the configuration; returns the exit code."""
    workspace = Workspace(ConfigText.read(config))
    (login,) = workspace.selected([key])
    if dry_run:
        if workspace.links.token(login) is None:
            terminal.say(wrapped(f"{key}: not linked, so nothing would be sent.", "  "))
        else:
            terminal.say(_request(workspace, "/connection/destroy", {"access_token": by_hand.MASK}))
        terminal.tell(f"The entry and the link of {key} would be removed from {workspace.target}.")
        return Exit.OK
    if terminal.person is None:
        terminal.tell("Nothing was deleted: type the confirmation in a terminal, or look with --dry-run.")
        return Exit.PERSON
    warning = f"This deletes the connection {key} and all its data at the provider, permanently."
    if not await terminal.confirm(warning, key):
        terminal.tell("Nothing was deleted.")
        return Exit.FAILED
    workspace.prove_writable()
    was_known = workspace.links.token(login) is not None and await by_hand.destroy(
        await workspace.started(workspace.config.check_timeout_seconds), login
    )
    workspace.forget(login)
    done = "deleted at the provider" if was_known else "not known to the provider"
    text = f"{key}: {done}; its entry and link are removed from {workspace.target}."
    if not workspace.text.entries:
        text += (
            " It was the only login: the keys and options stay in the file, and a sync with it fails, without "
            "submitting anything, until you enter another login."
        )
    terminal.tell(
        f"{text} Copies elsewhere (the form of an Airbyte source, a backup) still hold it: remove it there too."
    )
    return Exit.OK


async def link(terminal: Terminal, config: Path, output: Path | None, **options: Any) -> int:
    """Link every login that needs it, or the named ones, and write the configuration; returns the exit code."""
    keys = (*options["named"], *options["keys"])
    if options["browser"] and (options["dry_run"] or options["password_stdin"]):
        raise click.UsageError("--browser takes neither --dry-run nor --password-stdin.")
    text = ConfigText.read(config)
    if options["password_stdin"]:
        _set_piped_password(text, keys)
    for number, entry in enumerate(text.entries):
        if lacks_password(entry) and options["dry_run"]:
            text.set_password(number, "typed later")
        elif lacks_password(entry) and terminal.person:
            name = entry.get("key") or entry.get("username")
            if typed := await terminal.new_password(f"{name} has no password in the configuration."):
                text.set_password(number, typed)
    workspace = Workspace(text, output)
    if options["browser"]:
        script = options["form"] or browser.SCRIPT
        return await browser.link_in_browser(terminal, workspace, keys, script=script, opens=not options["no_open"])
    return await _link_here(terminal, workspace, keys, is_dry_run=options["dry_run"])


def _set_piped_password(text: ConfigText, keys: tuple[str, ...]) -> None:
    """Put the password from standard input into the entry of the one login that is meant."""
    entries = [str(entry.get("key")).strip() for entry in text.entries]
    numbers = [number for number, key in enumerate(entries) if len(entries) == 1 or (key,) == keys]
    if not numbers:
        raise click.UsageError("--password-stdin gives one password: name its login with one --key.")
    if sys.stdin.isatty():
        raise click.UsageError("--password-stdin reads from a pipe; without it you are asked for a password.")
    password = sys.stdin.read().rstrip("\r\n")
    if not password:
        raise click.UsageError("--password-stdin found no password on standard input.")
    text.set_password(numbers[0], password)


async def _link_here(terminal: Terminal, workspace: Workspace, keys: Collection[str], *, is_dry_run: bool) -> int:
    person, links = terminal.person, workspace.links
    choice = chosen(workspace, keys, has_person=person is not None)
    if is_dry_run:
        terminal.say("\n".join(_plan(workspace, choice)))
        return Exit.OK
    for login in choice.refused_password:
        other = await person.correct(login) if person else None
        (choice.submitted if other else choice.left).append(other or login)
    left = [outcomes.of_refusal(links.refused(login) or "") for login in choice.left]
    for login, result in zip(choice.left, left, strict=True):
        terminal.say(line_of(login.key, result, has_person=person is not None))
    if choice.submitted or workspace.target != workspace.text.path:
        workspace.prove_writable()
    if not choice.submitted:
        terminal.tell(f"Nothing to submit: {len(choice.linked)} linked, {len(left)} left. See `linkless status`.")
        return Exit.PERSON if left else Exit.OK
    ends, is_interrupted = await link_by_hand(workspace, terminal, choice.submitted)
    done = sum(end.outcome.status is Status.READY for end in ends)
    terminal.tell(f"Linked: {done} of {len(ends)}. Configuration written to {workspace.target}.")
    return Exit.INTERRUPTED if is_interrupted else code_of([*(end.outcome for end in ends), *left])


@dataclass(slots=True)
class Choice:
    """What happens to each login; `left` are refused logins that cannot be helped here."""

    submitted: list[Login] = field(default_factory=list)
    refused_password: list[Login] = field(default_factory=list)
    left: list[Login] = field(default_factory=list)
    linked: list[Login] = field(default_factory=list)


def chosen(workspace: Workspace, keys: Collection[str], *, has_person: bool) -> Choice:
    """Sort the logins, or the named ones; a submission that nothing in the login asks for is noted in the links."""
    links, choice = workspace.links, Choice()
    for login in workspace.selected(keys):
        is_linked, reason = links.step(login) is Step.USE, links.refused(login)
        advised = outcomes.of_refusal(reason).message if reason else ""
        if login.access_token or (is_linked and not reason and not keys):
            choice.linked.append(login)
        elif advised == outcomes.CREDENTIALS.advice:
            choice.refused_password.append(login)
        elif reason and not keys and not (has_person and advised in _ANSWERABLE):
            choice.left.append(login)
        else:
            choice.submitted.append(login)
            if reason or is_linked:
                links.ask_again(login)
    return choice


def _plan(workspace: Workspace, choice: Choice) -> Iterator[str]:
    """Yield what a dry run tells of each login; every secret is masked."""
    for login in choice.submitted:
        step = workspace.links.step(login)
        if step is Step.EXHAUSTED:
            yield wrapped(f"{login.key}: left as it is; it was {step.value}.", "  ")
            continue
        yield f"{login.key}: would {step.value}"
        for path, payload in by_hand.planned(workspace.config, login, step):
            yield _request(workspace, path, payload)
    unsent = {
        "nothing is sent before you type another password: it was refused.": choice.refused_password,
        "left as it is; it needs a person.": choice.left,
        "left as it is; it has its token.": choice.linked,
    }
    for what, logins in unsent.items():
        yield from (wrapped(f"{login.key}: {what}", "  ") for login in logins)


def _request(workspace: Workspace, path: str, payload: Mapping[str, Any]) -> str:
    body = json.dumps(payload, ensure_ascii=False)
    return "\n".join([wrapped(f"  POST {workspace.config.api_url}{path}", "  "), wrapped(f"    {body}", "    ")])


async def link_by_hand(
    workspace: Workspace, terminal: Terminal, logins: Sequence[Login]
) -> tuple[list[events.Finished], bool]:
    """Link logins all at once, and write each change; returns how each ended, and whether Ctrl-C ended it."""
    person, ends, stops = terminal.person, list[events.Finished](), list[events.Stopping]()

    async def tell(event: events.Event, *, urgent: bool = False) -> None:  # noqa: ARG001 - nothing queues here
        match event:
            case events.StillWaiting():
                terminal.watch(event.logins)
            case events.LinksChanged():
                workspace.keep(person.passwords if person else {})
            case events.Finished():
                ends.append(event)
                terminal.say(line_of(event.login.key, event.outcome, event.waited, has_person=person is not None))
            case events.Stopping():
                stops.append(event)
                terminal.note("Stopping: what is being submitted is finished first. Ctrl-C again ends at once.")

    try:
        run = await workspace.started(workspace.config.data_timeout_seconds, tell)
        await by_hand.link(run, logins, person)
    finally:
        terminal.rest()
    return ends, bool(stops)
