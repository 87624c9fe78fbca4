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

from __future__ import annotations

import asyncio
import hmac
import json
import queue
import secrets
import threading
import webbrowser
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from source_linkless.cli.terminal import line_of, printable
from source_linkless.cli.workspace import Exit, Setting, Workspace, code_of
from source_linkless.config import Login
from source_linkless.errors import Actor, Problem, Status
from source_linkless.json_files import FileProblem
from source_linkless.linking import by_hand
from source_linkless.provider import outcomes

SCRIPT = "https://link.deck.co/link-initialize.js"
"""The provider's script (its public sample applications)."""
LINK_SECONDS = 20 * 60.0
"""How long a link token lives at least (API notes, section 2.1)."""

_HOST = "127.0.0.1"
_MOST_BYTES = 16_384
_ALIVE_SECONDS, _LAST_SECONDS = 1.0, 3.0
_SAID = ("success", "exit", "failed", "again", "next", "blocked")
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}

_NEXT = {
    (True, False): "Next login",
    (False, False): "Leave it and go to the next login",
    (False, True): "Leave it and finish",
}
"""The text of the button that goes on: of a login that is linked or not, and the last one or not."""

Message = Mapping[str, Any]


class _PageClosed(Exception):  # noqa: N818 - what a person did
    """The window of the page is gone."""


def _ending(reason: str, advice: str) -> outcomes.Outcome:
    return outcomes.Outcome(Status.NEEDS_USER, Actor.USER, None, reason, advice)


_FORM_CLOSED = _ending("FORM_CLOSED", "The form was closed before the login was linked.")
_EXPIRED = _ending("LINK_TOKEN_EXPIRED", "The form was open for too long, and its link token has expired.")
_NOT_LOADED = _ending("FORM_NOT_LOADED", "The provider's form could not be opened.")
_NO_TOKEN = _ending("NO_PUBLIC_TOKEN", "The form ended without a public token.")
_PAGE_CLOSED = _ending("PAGE_CLOSED", "The page was closed or loaded again before the login was linked.")
_INTERRUPTED = _ending("INTERRUPTED", "It was not linked.")
_NOT_WRITTEN = _ending("NOT_WRITTEN", "The configuration could not be written; link this login again.")


class Page:
    """The page, served to one window; `heard` gets each of its messages, and `{"type": "closed"}` at its end.

    `heard` is called in threads of the server.
    """

    def __init__(self, script: str, heard: Callable[[Message], None]) -> None:
        """Open a port of this machine; nothing is answered before the context is entered."""
        self._script, self.heard = script, heard
        self.path = f"/{secrets.token_urlsafe(32)}/"
        self._window = secrets.token_urlsafe(32)
        self._is_served = self._is_listening = False
        self._lock = threading.Lock()
        self.events: queue.Queue[Message | None] = queue.Queue()
        self.ended = threading.Event()
        self._server = _Server(self)

    def __enter__(self) -> Self:
        """Answer from now on."""
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the stream of events and close the port."""
        self.events.put(None)
        if self._is_listening:
            self.ended.wait(_LAST_SECONDS)
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        """The only value of `Host` that is answered."""
        return f"{_HOST}:{self._server.server_address[1]}"

    @property
    def origin(self) -> str:
        """The only value of `Origin` that is answered."""
        return f"http://{self.host}"

    @property
    def address(self) -> str:
        """The address to open, once."""
        return f"{self.origin}{self.path}"

    def tell(self, kind: str, **event: Any) -> None:
        """Send an event to the page."""
        self.events.put({"type": kind, **event})

    def is_window(self, token: str | None) -> bool:
        """Tell whether a call comes from the page that was served."""
        return self._is_served and hmac.compare_digest((token or "").encode(), self._window.encode())

    def take(self, name: str) -> bool:
        """Take the page (`page`) or its stream (`events`); False when it was taken already."""
        with self._lock:
            was_taken = self._is_served if name == "page" else self._is_listening
            self._is_served = self._is_served or name == "page"
            self._is_listening = self._is_listening or name == "events"
            return not was_taken

    def content(self, nonce: str) -> bytes:
        """Return the page; `nonce` is the one of the policy that goes with it."""
        text = resources.files("source_linkless.cli").joinpath("link.html").read_text(encoding="utf-8")
        settings = json.dumps({"script": self._script, "window": self._window}).replace("<", "\\u003c")
        return text.replace("{nonce}", nonce).replace("{settings}", settings).encode()

    def policy(self, nonce: str) -> str:
        """Return the content security policy: our own script, and the provider's script and frame.

        Styles may be inline, as the provider's script may style its frame; a style can load nothing here.
        """
        script = urlsplit(self._script)
        origin = f"{script.scheme}://{script.netloc}"
        return "; ".join(
            (
                "default-src 'none'",
                f"script-src 'nonce-{nonce}' {origin}{script.path}",
                "style-src 'unsafe-inline'",
                f"frame-src {origin}",
                "connect-src 'self'",
                *(f"{name} 'none'" for name in ("base-uri", "form-action", "frame-ancestors")),
            )
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, page: Page) -> None:
        self.page = page
        super().__init__((_HOST, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that went away is no error, and the terminal belongs to the command."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 60
    server: _Server
    server_version, sys_version = "linkless", ""

    def do_GET(self) -> None:
        page = self.server.page
        if self.headers.get("host") != page.host:
            self._answer(HTTPStatus.MISDIRECTED_REQUEST)
        elif self.path == page.path and page.take("page"):
            nonce = secrets.token_urlsafe(16)
            self._answer(HTTPStatus.OK, page.content(nonce), "text/html; charset=utf-8", page.policy(nonce))
        elif self.path == page.path:
            self._answer(HTTPStatus.GONE, b"This page was opened already. Run the command again.\n")
        elif self.path == f"{page.path}events" and self._is_window() and page.take("events"):
            self._stream()
        else:
            self._answer(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        page = self.server.page
        if self.path != f"{page.path}said" or not self._is_window() or self.headers.get("origin") != page.origin:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        length = self.headers.get("content-length", "")
        if not (length.isdecimal() and int(length) <= _MOST_BYTES):
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        with suppress(ValueError):
            message = json.loads(self.rfile.read(int(length)))
            if isinstance(message, dict) and message.get("type") in _SAID:
                page.heard(message)
        self._answer(HTTPStatus.NO_CONTENT)

    def _is_window(self) -> bool:
        """Tell whether a call comes from the page that was served, and not from another site or host."""
        is_cross_site = self.headers.get("sec-fetch-site", "same-origin") != "same-origin"
        is_host = self.headers.get("host") == self.server.page.host
        return is_host and not is_cross_site and self.server.page.is_window(self.headers.get("x-linkless-window"))

    def _stream(self) -> None:
        """Send events as lines of JSON until there are no more, or the window is gone."""
        page = self.server.page
        with suppress(OSError):
            self._answer(HTTPStatus.OK, None, "application/x-ndjson")
            while True:
                try:
                    event = page.events.get(timeout=_ALIVE_SECONDS)
                except queue.Empty:
                    self.wfile.write(b"\n")  # fails once the window is gone
                    continue
                if event is None:
                    break
                self.wfile.write(json.dumps(event).encode() + b"\n")
        page.heard({"type": "closed"})
        page.ended.set()

    def _answer(
        self, status: HTTPStatus, body: bytes | None = b"", kind: str = "text/plain", policy: str = "default-src 'none'"
    ) -> None:
        """Send the head of an answer, and its body unless it is None and follows in pieces."""
        self.send_response(status)
        headers = {"content-type": kind, "content-security-policy": policy, **_HEADERS}
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in http.server
        """Log nothing: the terminal belongs to the command."""


async def link_in_browser(
    setting: Setting,
    workspace: Workspace,
    keys: Collection[str],
    *,
    script: str = SCRIPT,
    opens: bool,
    link_seconds: float = LINK_SECONDS,
) -> int:
    """Link logins in the provider's form, one after the other, and write the configuration; returns the exit code.

    Without keys: every login that has no token, or was refused. `link_seconds` is how long a form may stay open.
    """
    logins = _chosen(workspace, keys)
    if not logins:
        setting.say("Nothing to link: every login has its token. Name a login to link it again.")
        return Exit.OK
    workspace.prove_writable()
    provider = await by_hand.Form.opened(
        workspace.config, workspace.links, workspace.surroundings, lambda: workspace.keep({})
    )
    loop, heard = asyncio.get_running_loop(), asyncio.Queue[Message]()

    def hear(message: Message) -> None:
        loop.call_soon_threadsafe(heard.put_nowait, message)

    with Page(script, hear) as page:
        setting.screen.say(f"Open this address in a browser on this machine; it works once:\n  {page.address}")
        if opens:
            await asyncio.to_thread(webbrowser.open, page.address)
        session = _Session(setting, workspace, provider, page, heard)
        session.link_seconds = link_seconds
        return await session.link(logins)


def _chosen(workspace: Workspace, keys: Collection[str]) -> list[Login]:
    links = workspace.links
    return [
        login
        for login in workspace.selected(keys)
        if not login.access_token and (keys or links.token(login) is None or links.refused(login))
    ]


class _Session:
    """One page and its logins, one after the other."""

    def __init__(
        self, setting: Setting, workspace: Workspace, provider: by_hand.Form, page: Page, heard: asyncio.Queue[Message]
    ) -> None:
        self._setting, self._workspace, self._provider = setting, workspace, provider
        self._page, self._heard = page, heard
        self.link_seconds = LINK_SECONDS
        self._step = 0
        self._ends: list[outcomes.Outcome] = []

    async def link(self, logins: list[Login]) -> int:
        """Link the logins; each is reported, those too that a closed page or Ctrl-C leaves over."""
        left = iter(logins)
        try:
            for number, login in enumerate(left, start=1):
                await self._one(login, f"{login.key} ({number} of {len(logins)})", is_last=number == len(logins))
        except asyncio.CancelledError:
            self._report_rest(logins, _INTERRUPTED)
            self._page.tell("done", heading="The command was interrupted", text="You can close this page.")
            self._summary()
            return Exit.INTERRUPTED
        except _PageClosed:
            self._report_rest(logins, _PAGE_CLOSED)
        self._summary()
        return code_of(self._ends)

    def _report_rest(self, logins: list[Login], result: outcomes.Outcome) -> None:
        for login in logins[len(self._ends) :]:
            self._report(login, result)

    def _report(self, login: Login, result: outcomes.Outcome) -> None:
        line = line_of(login.key, result, has_person=True)
        self._ends.append(result)
        self._setting.screen.say(line)
        self._page.tell("ended", good=result.status is Status.READY, text=" ".join(line.split()))

    def _summary(self) -> None:
        done = sum(result.status is Status.READY for result in self._ends)
        file = self._workspace.target
        text = f"Linked: {done} of {len(self._ends)}. Configuration written to {file}."
        self._setting.say(text)
        self._page.tell("done", heading="Finished", text=f"{printable(text)} You can close this page.")

    async def _one(self, login: Login, heading: str, *, is_last: bool) -> None:
        """Bring one login to its end: linked, or given up."""
        while True:
            result = await self._tried(login, heading)
            is_linked = result.status is Status.READY
            if is_linked:
                self._report(login, result)
                if is_last:
                    return
            text = "Linked." if is_linked else result.message
            self._tell("stopped", heading=heading, text=text, again=not is_linked, next=_NEXT[is_linked, is_last])
            said = await self._said("again", "next")
            if is_linked:
                return
            if said["type"] == "next":
                self._report(login, result)
                return

    async def _tried(self, login: Login, heading: str) -> outcomes.Outcome:
        """Open the form for a login once; returns how that ended."""
        try:
            token, is_update = await self._provider.link_token(login)
            self._tell("link", heading=heading, token=token, source_id=login.source_id)
            async with asyncio.timeout(self.link_seconds):
                said = await self._said("success", "exit", "failed")
        except TimeoutError:
            return _EXPIRED
        except Problem as problem:
            return outcomes.of_problem(problem)
        match said["type"]:
            case "success":
                taking = asyncio.create_task(self._taken(login, said.get("public_token"), is_update=is_update))
                try:
                    return await asyncio.shield(taking)
                except asyncio.CancelledError:
                    self._report(login, await taking)  # Ctrl-C waits for the token
                    raise
            case "failed":
                self._setting.screen.note(printable(f"{login.key}: {said.get('detail')}"))
                return _NOT_LOADED
            case _:
                return _FORM_CLOSED

    async def _taken(self, login: Login, public_token: object, *, is_update: bool) -> outcomes.Outcome:
        """Exchange the public token, and write the link before anything else happens. An update keeps its token."""
        if not is_update and not (isinstance(public_token, str) and public_token):
            return _NO_TOKEN
        try:
            return await self._provider.taken(login, None if is_update else str(public_token))
        except FileProblem as problem:
            self._setting.say(str(problem))
            return _NOT_WRITTEN

    def _tell(self, kind: str, **event: Any) -> None:
        """Send an event that begins a step: answers to an earlier one do not count."""
        self._step += 1
        self._page.tell(kind, step=self._step, **event)

    async def _said(self, *kinds: str) -> Message:
        """Wait for one of these messages about the present step. Raises _PageClosed."""
        while True:
            message = await self._heard.get()
            if message["type"] == "closed":
                raise _PageClosed
            if message["type"] == "blocked":
                text = f"The page did not load {message.get('detail')}, which the provider's form asked for."
                self._setting.screen.note(printable(text))
            elif message["type"] in kinds and message.get("step") == self._step:
                return message
