"""`linkless link --browser`: logins are linked in the provider's own form, on a page that this process serves.

    this process ── link token ──► page on 127.0.0.1 ──► the provider's form (its script and its frame)
         ▲                             │
         └── access token ◄─ exchange ─┴─ public token

The page is for one window. Its address holds a random token and is served once; its calls need a second token, which
only that page has, the right `Host` and the right `Origin`. The policy of the page lets it load the provider's script
and frame and nothing else. No key and no access token reaches it.

Known of the form, from the provider's public sample applications: `Deck.create({token, source_id?,
onSuccess({public_token}), onExit()})`, `open()` and `exit()`. That its frame is of the script's origin is an
assumption; what the policy blocks is reported in the terminal.
"""

import asyncio
import email
import hmac
import json
import secrets
import webbrowser
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from source_linkless.cli.terminal import TEXTS, Terminal, line_of, printable
from source_linkless.cli.workspace import Exit, Workspace, code_of
from source_linkless.config import Login
from source_linkless.errors import Actor, Problem, Status
from source_linkless.json_files import FileProblem
from source_linkless.linking import Run, by_hand
from source_linkless.provider import outcomes
from source_linkless.provider.outcomes import Outcome

SCRIPT = "https://link.deck.co/link-initialize.js"  # the provider's (its public sample applications)
LINK_SECONDS = 20 * 60.0  # how long a link token lives at least (API notes, section 2.1)
_HOST = "127.0.0.1"
_MOST_BYTES, _REQUEST_SECONDS = 16_384, 60
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
_ENDINGS = {
    reason: Outcome(Status.NEEDS_USER, Actor.USER, None, reason, text) for reason, text in TEXTS["in_browser"].items()
}


class _PageClosed(Exception):  # noqa: N818 - what a person did
    """The window of the page is gone."""


class _Page:
    """The page, served to one window; its `events` are lines of JSON on a connection that ends with the window."""

    def __init__(self, script: str, terminal: Terminal) -> None:
        self._script, self._terminal = script, terminal
        self._home, self._window = f"/{secrets.token_urlsafe(32)}/", secrets.token_urlsafe(32)
        self._host = ""
        self._is_taken = False
        self._events: asyncio.StreamWriter | None = None
        self._heard = asyncio.Queue[dict[str, Any] | None]()  # None: the window is gone
        self._step = 0
        self.opened = asyncio.Event()

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve the page on a port of this machine as long as the context is open; yields its address."""
        server = await asyncio.start_server(self._serve, _HOST, 0)
        self._host = f"{_HOST}:{server.sockets[0].getsockname()[1]}"
        try:
            yield f"http://{self._host}{self._home}"
        finally:
            server.close()
            if self._events:
                self._events.close()

    def tell(self, kind: str, **event: Any) -> None:
        """Send an event to the page."""
        if self._events and not self._events.is_closing():
            self._events.write(json.dumps({"type": kind, **event}).encode() + b"\n")

    async def ask(self, kind: str, **event: Any) -> dict[str, Any]:
        """Send an event that begins a step, and return the answer to this step. Raises _PageClosed."""
        self._step += 1
        self.tell(kind, step=self._step, **event)
        while (message := await self._heard.get()) is not None:
            match message:
                case {"type": "blocked", "detail": what}:
                    text = f"The page did not load {what}, which the provider's form asked for."
                    self._terminal.note(printable(text))
                case {"type": str(), "step": self._step}:
                    return message
        raise _PageClosed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection. An error is that of a client, and is not printed."""
        try:
            with suppress(OSError, ValueError, EOFError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_REQUEST_SECONDS):
                    writer.write(await self._answer_to(reader, writer))
                    await writer.drain()
                if writer is self._events:
                    self.opened.set()
                    await reader.read(1)  # ends with the window
        finally:
            writer.close()
            if writer is self._events:
                self._heard.put_nowait(None)

    async def _answer_to(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, _, lines = head.partition("\r\n")
        method, path, _ = request.split(" ")
        headers = email.message_from_string(lines)
        is_host, length = headers.get("host") == self._host, headers.get("content-length", "")
        is_window = (  # a call of the page that was served, and not of another site or host
            is_host
            and headers.get("sec-fetch-site", "same-origin") == "same-origin"
            and hmac.compare_digest(headers.get("x-linkless-window", "").encode(), self._window.encode())
        )
        status, content, kind, policy = HTTPStatus.NOT_FOUND, b"", "text/plain", "default-src 'none'"
        match method, path[len(self._home) :] if path.startswith(self._home) else None:
            case "GET", _ if not is_host:
                status = HTTPStatus.MISDIRECTED_REQUEST
            case "GET", "" if not self._is_taken:
                self._is_taken = True
                status, kind, (content, policy) = HTTPStatus.OK, "text/html; charset=utf-8", self._page()
            case "GET", "":
                status, content = HTTPStatus.GONE, b"This page was opened already. Run the command again.\n"
            case "GET", "events" if is_window and not self._events:
                status, kind, self._events = HTTPStatus.OK, "application/x-ndjson", writer
            case "POST", "said" if is_window and headers.get("origin") == f"http://{self._host}":
                if length.isdecimal() and int(length) <= _MOST_BYTES:
                    status = HTTPStatus.NO_CONTENT
                    with suppress(ValueError, RecursionError):
                        message = json.loads(await reader.readexactly(int(length)))
                        if isinstance(message, dict):
                            self._heard.put_nowait(message)
                else:
                    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        sent = {"content-type": kind, "content-security-policy": policy, **_HEADERS}
        fields = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        return f"HTTP/1.0 {status} {status.phrase}\r\n{fields}\r\n".encode() + content

    def _page(self) -> tuple[bytes, str]:
        """Return the page and its policy, which allows our own script, and the provider's script and frame."""
        script, nonce = urlsplit(self._script), secrets.token_urlsafe(16)
        origin = f"{script.scheme}://{script.netloc}"
        policy = (  # styles may be inline, as the provider's script may style its frame; a style can load nothing here
            f"default-src 'none'; script-src 'nonce-{nonce}' {origin}{script.path}; style-src 'unsafe-inline'; "
            f"frame-src {origin}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        settings = json.dumps({"script": self._script, "window": self._window}).replace("<", "\\u003c")
        text = resources.files("source_linkless.cli").joinpath("link.html").read_text(encoding="utf-8")
        return text.replace("{nonce}", nonce).replace("{settings}", settings).encode(), policy


async def link_in_browser(
    terminal: Terminal,
    workspace: Workspace,
    keys: Collection[str],
    *,
    script: str = SCRIPT,
    opens: bool,
    link_seconds: float = LINK_SECONDS,
) -> int:
    """Link logins, by default all without a token and all refused, in forms that stay open for `link_seconds` each."""
    links = workspace.links
    logins = [
        login
        for login in workspace.selected(keys)
        if not login.access_token and (keys or links.token(login) is None or links.refused(login))
    ]
    if not logins:
        terminal.tell("Nothing to link: every login has its token. Name a login to link it again.")
        return Exit.OK
    workspace.prove_writable()
    run = await workspace.started(workspace.config.check_timeout_seconds)
    page = _Page(script, terminal)
    async with page.served() as address:
        terminal.say(f"Open this address in a browser on this machine; it works once:\n  {address}")
        if opens:
            await asyncio.to_thread(webbrowser.open, address)
        return await _Session(terminal, workspace, run, page, link_seconds).link(logins)


@dataclass(slots=True)
class _Session:
    """One page and its logins, one after the other."""

    terminal: Terminal
    workspace: Workspace
    run: Run
    page: _Page
    link_seconds: float
    ends: list[Outcome] = field(default_factory=list)

    async def link(self, logins: list[Login]) -> int:
        """Link the logins; each is reported, those too that a closed page or Ctrl-C leaves over."""
        left, end, code = _ENDINGS["PAGE_CLOSED"], "Finished", None
        try:
            await self.page.opened.wait()
            for number, login in enumerate(logins, start=1):
                heading, is_last = f"{login.key} ({number} of {len(logins)})", number == len(logins)
                leave = "Leave it and finish" if is_last else "Leave it and go to the next login"
                while (result := await self._tried(login, heading)).status is not Status.READY:
                    said = await self.page.ask("stopped", heading=heading, text=result.message, again=True, next=leave)
                    if said["type"] == "next":
                        break
                self._report(login, result)
                if result.status is Status.READY and not is_last:
                    await self.page.ask("stopped", heading=heading, text="Linked.", again=False, next="Next login")
        except _PageClosed:
            pass
        except asyncio.CancelledError:
            left, end, code = _ENDINGS["INTERRUPTED"], "The command was interrupted", Exit.INTERRUPTED
        for login in logins[len(self.ends) :]:
            self._report(login, left)
        done = sum(result.status is Status.READY for result in self.ends)
        text = f"Linked: {done} of {len(self.ends)}. Configuration written to {self.workspace.target}."
        self.terminal.tell(text)
        self.page.tell("done", heading=end, text=f"{printable(text)} You can close this page.")
        return code_of(self.ends) if code is None else code

    def _report(self, login: Login, result: Outcome) -> None:
        line = line_of(login.key, result, has_person=True)
        self.ends.append(result)
        self.terminal.say(line)
        self.page.tell("ended", good=result.status is Status.READY, text=" ".join(line.split()))

    async def _tried(self, login: Login, heading: str) -> Outcome:
        """Open the form for a login once; returns how that ended."""
        try:
            token = await by_hand.link_token(self.run, login)
            async with asyncio.timeout(self.link_seconds):
                said = await self.page.ask("link", heading=heading, token=token, source_id=login.source_id)
        except TimeoutError:
            return _ENDINGS["LINK_TOKEN_EXPIRED"]
        except Problem as problem:
            return outcomes.of_problem(problem)
        if said["type"] == "failed":
            self.terminal.note(printable(f"{login.key}: {said.get('detail')}"))
            return _ENDINGS["FORM_NOT_LOADED"]
        if said["type"] == "exit":
            return _ENDINGS["FORM_CLOSED"]
        exchange = asyncio.create_task(self._exchanged(login, said.get("public_token")))
        try:
            return await asyncio.shield(exchange)
        except asyncio.CancelledError:
            self._report(login, await exchange)  # Ctrl-C waits for the token
            raise

    async def _exchanged(self, login: Login, public_token: object) -> Outcome:
        try:
            return await by_hand.exchange(self.run, login, public_token, lambda: self.workspace.keep({}))
        except FileProblem as problem:
            self.terminal.tell(str(problem))
            return _ENDINGS["NOT_WRITTEN"]
