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
import hmac
import json
import queue
import secrets
import threading
import webbrowser
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, Self
from urllib.parse import urlsplit

from source_linkless.cli.terminal import line_of, printable
from source_linkless.cli.workspace import Exit, Setting, Workspace, code_of
from source_linkless.config import Login
from source_linkless.errors import Actor, Problem, Status
from source_linkless.json_files import FileProblem
from source_linkless.linking import Run, by_hand
from source_linkless.provider import outcomes
from source_linkless.provider.outcomes import Outcome

SCRIPT = "https://link.deck.co/link-initialize.js"
"""The provider's script (its public sample applications)."""
LINK_SECONDS = 20 * 60.0
"""How long a link token lives at least (API notes, section 2.1)."""
_HOST = "127.0.0.1"
_MOST_BYTES = 16_384
_ALIVE_SECONDS, _LAST_SECONDS = 1.0, 3.0
_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
_ending = partial(Outcome, Status.NEEDS_USER, Actor.USER, None)
_FORM_CLOSED = _ending("FORM_CLOSED", "The form was closed before the login was linked.")
_EXPIRED = _ending("LINK_TOKEN_EXPIRED", "The form was open for too long, and its link token has expired.")
_NOT_LOADED = _ending("FORM_NOT_LOADED", "The provider's form could not be opened.")
_PAGE_CLOSED = _ending("PAGE_CLOSED", "The page was closed or loaded again before the login was linked.")
_INTERRUPTED = _ending("INTERRUPTED", "It was not linked.")
_NOT_WRITTEN = _ending("NOT_WRITTEN", "The configuration could not be written; link this login again.")

Message = Mapping[str, Any]


class _PageClosed(Exception):  # noqa: N818 - what a person did
    """The window of the page is gone."""


class _Page(ThreadingHTTPServer):
    """The page, served to one window on a port of this machine as long as the context is open.

    `note` gets a sentence about what the policy of the page has blocked.
    """

    daemon_threads = True

    def __init__(self, script: str, note: Callable[[str], None]) -> None:
        super().__init__((_HOST, 0), _Handler)
        self._note = note
        self._loop, self._heard = asyncio.get_running_loop(), asyncio.Queue[Message | None]()
        self._step = 0
        self.host = f"{_HOST}:{self.server_port}"
        """The only value of `Host` that is answered; `origin` is that of `Origin`."""
        self.origin = f"http://{self.host}"
        self.path = f"/{secrets.token_urlsafe(32)}/"
        self.script, self.window = script, secrets.token_urlsafe(32)
        self.page_taken, self.events_taken = threading.Lock(), threading.Lock()
        """Each is acquired once, and never released."""
        self.events = queue.Queue[Message | None]()
        self.streaming = threading.Lock()
        """Held while events are being sent."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.events.put(None)
        self.streaming.acquire(timeout=_LAST_SECONDS)
        self.shutdown()
        self.server_close()

    def tell(self, kind: str, **event: Any) -> None:
        """Send an event to the page."""
        self.events.put({"type": kind, **event})

    def begin(self, kind: str, **event: Any) -> None:
        """Send an event that begins a step: answers to an earlier one do not count."""
        self._step += 1
        self.tell(kind, step=self._step, **event)

    def hear(self, message: Message | None) -> None:
        """Take a message of the page in any thread; None when the window is gone."""
        self._loop.call_soon_threadsafe(self._heard.put_nowait, message)

    async def said(self, *kinds: str) -> Message:
        """Wait for one of these messages about the present step. Raises _PageClosed."""
        while message := await self._heard.get():
            if message.get("type") == "blocked":
                self._note(f"The page did not load {message.get('detail')}, which the provider's form asked for.")
            elif message.get("type") in kinds and message.get("step") == self._step:
                return message
        raise _PageClosed

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that went away is no error, and the terminal belongs to the command."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 60
    server: _Page
    server_version, sys_version = "linkless", ""

    def do_GET(self) -> None:
        page = self.server
        if self.headers.get("host") != page.host:
            self._answer(HTTPStatus.MISDIRECTED_REQUEST)
        elif self.path == f"{page.path}events" and self._is_window() and page.events_taken.acquire(blocking=False):
            self._stream()
        elif self.path != page.path:
            self._answer(HTTPStatus.NOT_FOUND)
        elif page.page_taken.acquire(blocking=False):
            self._answer_page()
        else:
            self._answer(HTTPStatus.GONE, b"This page was opened already. Run the command again.\n")

    def do_POST(self) -> None:
        page = self.server
        length = self.headers.get("content-length", "")
        if self.path != f"{page.path}said" or not self._is_window() or self.headers.get("origin") != page.origin:
            self._answer(HTTPStatus.NOT_FOUND)
        elif not (length.isdecimal() and int(length) <= _MOST_BYTES):
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            with suppress(ValueError):
                message = json.loads(self.rfile.read(int(length)))
                if isinstance(message, dict) and message:
                    page.hear(message)
            self._answer(HTTPStatus.NO_CONTENT)

    def _is_window(self) -> bool:
        """Tell whether a call comes from the page that was served, and not from another site or host."""
        is_cross_site = self.headers.get("sec-fetch-site", "same-origin") != "same-origin"
        is_host = self.headers.get("host") == self.server.host
        token = self.headers.get("x-linkless-window", "").encode()
        return is_host and not is_cross_site and hmac.compare_digest(token, self.server.window.encode())

    def _answer_page(self) -> None:
        """Send the page. Its policy allows our own script, and the provider's script and frame.

        Styles may be inline, as the provider's script may style its frame; a style can load nothing here.
        """
        page, nonce = self.server, secrets.token_urlsafe(16)
        script = urlsplit(page.script)
        origin = f"{script.scheme}://{script.netloc}"
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}' {origin}{script.path}; style-src 'unsafe-inline'; "
            f"frame-src {origin}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        settings = json.dumps({"script": page.script, "window": page.window}).replace("<", "\\u003c")
        text = resources.files("source_linkless.cli").joinpath("link.html").read_text(encoding="utf-8")
        content = text.replace("{nonce}", nonce).replace("{settings}", settings).encode()
        self._answer(HTTPStatus.OK, content, "text/html; charset=utf-8", policy)

    def _stream(self) -> None:
        """Send events as lines of JSON until there are no more, or the window is gone."""
        page = self.server
        with page.streaming:
            with suppress(OSError):
                self._answer(HTTPStatus.OK, kind="application/x-ndjson")
                while True:
                    try:
                        event = page.events.get(timeout=_ALIVE_SECONDS)
                    except queue.Empty:
                        self.wfile.write(b"\n")  # fails once the window is gone
                        continue
                    if event is None:
                        break
                    self.wfile.write(json.dumps(event).encode() + b"\n")
            page.hear(None)

    def _answer(
        self, status: HTTPStatus, body: bytes = b"", kind: str = "text/plain", policy: str = "default-src 'none'"
    ) -> None:
        """Send an answer, which ends with its connection; that of a stream goes on."""
        self.send_response(status)
        for name, value in {"content-type": kind, "content-security-policy": policy, **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

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
    links = workspace.links
    logins = [
        login
        for login in workspace.selected(keys)
        if not login.access_token and (keys or links.token(login) is None or links.refused(login))
    ]
    if not logins:
        setting.say("Nothing to link: every login has its token. Name a login to link it again.")
        return Exit.OK
    workspace.prove_writable()
    run = await workspace.started(workspace.config.check_timeout_seconds)
    with _Page(script, lambda text: setting.screen.note(printable(text))) as page:
        address = f"{page.origin}{page.path}"
        setting.screen.say(f"Open this address in a browser on this machine; it works once:\n  {address}")
        if opens:
            await asyncio.to_thread(webbrowser.open, address)
        return await _Session(setting, workspace, run, page, link_seconds).link(logins)


@dataclass(slots=True)
class _Session:
    """One page and its logins, one after the other."""

    setting: Setting
    workspace: Workspace
    run: Run
    page: _Page
    link_seconds: float
    ends: list[Outcome] = field(default_factory=list)

    async def link(self, logins: list[Login]) -> int:
        """Link the logins; each is reported, those too that a closed page or Ctrl-C leaves over."""
        left, heading, code = _PAGE_CLOSED, "Finished", None
        try:
            for number, login in enumerate(logins, start=1):
                await self._one(login, f"{login.key} ({number} of {len(logins)})", is_last=number == len(logins))
        except _PageClosed:
            pass
        except asyncio.CancelledError:
            left, heading, code = _INTERRUPTED, "The command was interrupted", Exit.INTERRUPTED
        for login in logins[len(self.ends) :]:
            self._report(login, left)
        done = sum(result.status is Status.READY for result in self.ends)
        text = f"Linked: {done} of {len(self.ends)}. Configuration written to {self.workspace.target}."
        self.setting.say(text)
        self.page.tell("done", heading=heading, text=f"{printable(text)} You can close this page.")
        return code_of(self.ends) if code is None else code

    def _report(self, login: Login, result: Outcome) -> None:
        line = line_of(login.key, result, has_person=True)
        self.ends.append(result)
        self.setting.screen.say(line)
        self.page.tell("ended", good=result.status is Status.READY, text=" ".join(line.split()))

    async def _one(self, login: Login, heading: str, *, is_last: bool) -> None:
        """Bring one login to its end: linked, or given up."""
        leave = "Leave it and finish" if is_last else "Leave it and go to the next login"
        while (result := await self._tried(login, heading)).status is not Status.READY:
            self.page.begin("stopped", heading=heading, text=result.message, again=True, next=leave)
            if (await self.page.said("again", "next"))["type"] == "next":
                break
        self._report(login, result)
        if result.status is Status.READY and not is_last:
            self.page.begin("stopped", heading=heading, text="Linked.", again=False, next="Next login")
            await self.page.said("next")

    async def _tried(self, login: Login, heading: str) -> Outcome:
        """Open the form for a login once; returns how that ended."""
        try:
            token = await by_hand.link_token(self.run, login)
            self.page.begin("link", heading=heading, token=token, source_id=login.source_id)
            async with asyncio.timeout(self.link_seconds):
                said = await self.page.said("success", "exit", "failed")
        except TimeoutError:
            return _EXPIRED
        except Problem as problem:
            return outcomes.of_problem(problem)
        match said["type"]:
            case "success":
                exchange = asyncio.create_task(self._exchanged(login, said.get("public_token")))
                try:
                    return await asyncio.shield(exchange)
                except asyncio.CancelledError:
                    self._report(login, await exchange)  # Ctrl-C waits for the token
                    raise
            case "failed":
                self.setting.screen.note(printable(f"{login.key}: {said.get('detail')}"))
                return _NOT_LOADED
            case _:
                return _FORM_CLOSED

    async def _exchanged(self, login: Login, public_token: object) -> Outcome:
        try:
            return await by_hand.exchange(self.run, login, public_token, lambda: self.workspace.keep({}))
        except FileProblem as problem:
            self.setting.say(str(problem))
            return _NOT_WRITTEN
