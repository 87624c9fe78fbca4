"""`linkless link --browser`: in a real Chromium with the simulator's imitation of the form, and attacked raw."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pytest
from playwright.sync_api import FrameLocator, Page

from linkless_simulator import Simulator
from source_linkless.cli.browser import link_in_browser
from source_linkless.cli.terminal import Terminal
from source_linkless.cli.workspace import ConfigText, Workspace
from testing.chromium import browser_page
from testing.connector import fleet_at
from testing.forked_command import run_without_terminal

PROGRAM = Path(sys.executable).with_name("linkless")
LONGEST_SECONDS = 300


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Return a page of one browser for all tests of this module."""
    with browser_page() as page:
        yield page


def form_at(simulator: Simulator) -> str:
    """Return the address of the simulator's imitation of the provider's script."""
    return f"{simulator.url.removesuffix('/api/v1')}/link-initialize.js"


class Linking:
    """A running `linkless link --browser`, and its configuration."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        """Read the address that the command prints."""
        assert process.stdout is not None
        self.process, self.path = process, path
        assert "Open this address" in process.stdout.readline()
        self.address = process.stdout.readline().strip()
        self.port = int(re.findall(r":(\d+)/", self.address)[0])

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what was printed, in one line."""
        stdout, stderr = self.process.communicate(timeout=LONGEST_SECONDS)
        assert "Traceback" not in stderr, stderr
        return self.process.returncode, " ".join(stdout.split())

    def links(self) -> dict[str, dict[str, Any]]:
        """Return what is remembered, by key."""
        config = json.loads(self.path.read_text(encoding="utf-8"))
        found: dict[str, dict[str, Any]] = json.loads(config.get("links", '{"connections": {}}'))["connections"]
        return found


@contextmanager
def linking(simulator: Simulator, folder: Path, *stories: str, keys: tuple[str, ...] = ()) -> Iterator[Linking]:
    """Start the command for logins of these stories, whose names are also their keys."""
    path = folder / "config.json"
    if not path.exists():
        entries = [{"username": f"{story}+{folder.name}", "key": story} for story in stories]
        path.write_text(json.dumps(fleet_at(simulator, *entries), indent=2), encoding="utf-8")
    command = [str(PROGRAM), "link", *keys, "--browser", "--no-open", "--form", form_at(simulator)]
    with subprocess.Popen(
        [*command, "--config", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Linking(process, path)
        finally:
            process.kill()


def fill(form: FrameLocator, **values: str) -> None:
    """Type into the fields of the form, and go on."""
    for label, value in values.items():
        form.get_by_label(label.replace("_", " ")).fill(value)
    form.get_by_role("button", name="Continue").click()


def test_a_captcha_login_becomes_rows_in_a_warehouse(page: Page, simulator: Simulator, tmp_path: Path) -> None:
    """From `linkless link --browser` through the form and `linkless run` to a table, with one submission."""
    with linking(simulator, tmp_path, "captcha") as command:
        page.goto(command.address)
        form = page.frame_locator("iframe")
        fill(form, User_name=f"captcha+{tmp_path.name}", Password="pass_good")
        fill(form, Type_the_word="LINKLESS")
        page.get_by_role("heading", name="Finished").wait_for()
        assert page.url == f"http://127.0.0.1:{command.port}/"
        assert command.end()[0] == 0
    assert run_without_terminal(["run", "config.json"], tmp_path, "")[0] == 0
    assert simulator.backend.count("/link/connect", f"captcha+{tmp_path.name}") == 1
    warehouse = duckdb.connect()
    records = f"{tmp_path}/config.sync/records/*.jsonl"
    query = "select count(*) from read_json(?, columns={stream: 'varchar', data: 'json'}) where stream = 'statements'"
    (bills,) = warehouse.execute(query, [records]).fetchone() or (0,)
    document = simulator.backend.document(f"captcha+{tmp_path.name}")
    assert bills == sum(len(account["statements"]) for account in document["accounts"])


def test_many_logins_one_after_the_other(page: Page, simulator: Simulator, tmp_path: Path) -> None:
    """A choice of method and a code, a wrong password and then the right one, a closed form: each is reported."""
    with linking(simulator, tmp_path, "mfa_method", "instant", "captcha") as command:
        page.goto(command.address)
        form = page.frame_locator("iframe")
        fill(form, User_name=f"mfa_method+{tmp_path.name}", Password="pass_good")
        form.get_by_label("Email").check()
        form.get_by_role("button", name="Continue").click()
        fill(form, Answer="000000")
        form.get_by_text("That answer is wrong.").wait_for()
        fill(form, Answer="123456")
        page.get_by_role("button", name="Next login").wait_for()
        assert set(command.links()) == {"mfa_method"}  # written before the next login begins
        page.keyboard.press("Enter")  # the button that goes on has the focus
        fill(form, User_name=f"instant+{tmp_path.name}", Password="pass_bad")
        form.get_by_text("The username or the password is wrong.").wait_for()
        form.get_by_role("button", name="Exit").click()
        page.get_by_text("The form was closed before the login was linked.").wait_for()
        page.get_by_role("button", name="Try again").click()
        fill(form, User_name=f"instant+{tmp_path.name}", Password="pass_good")
        page.get_by_role("button", name="Next login").click()
        form.get_by_label("User name").press("Escape")
        page.get_by_role("button", name="Leave it and finish").click()
        page.get_by_role("heading", name="Finished").wait_for()
        code, said = command.end()
    assert code == 3
    assert "mfa_method: linked. instant: linked. captcha: needs you. FORM_CLOSED." in said
    assert "Linked: 2 of 3." in said
    assert {key for key, link in command.links().items() if "access_token" in link} == {"mfa_method", "instant"}


def test_a_linked_login_is_updated_and_a_closed_page_loses_nothing(
    page: Page, simulator: Simulator, tmp_path: Path
) -> None:
    """Named logins are linked again in update mode: the token stays. Leaving the page ends the command."""
    with linking(simulator, tmp_path, "instant", "captcha", keys=("instant",)) as command:
        page.goto(command.address)
        fill(page.frame_locator("iframe"), User_name=f"instant+{tmp_path.name}", Password="pass_good")
        assert command.end() == (0, f"instant: linked. Linked: 1 of 1. Configuration written to {command.path}.")
    before, exchanges = command.links(), simulator.backend.count("/connection/public_token/exchange")
    with linking(simulator, tmp_path, keys=("instant", "captcha")) as command:
        page.goto(command.address)
        fill(page.frame_locator("iframe"), User_name=f"instant+{tmp_path.name}", Password="pass_good")
        page.get_by_role("button", name="Next login").click()
        page.frame_locator("iframe").get_by_label("User name").wait_for()
        page.on("dialog", lambda dialog: dialog.accept())  # the page asks whether one really wants to leave
        page.goto("about:blank")
        code, said = command.end()
    assert (code, "captcha: needs you. PAGE_CLOSED." in said) == (3, True)
    assert command.links()["instant"]["access_token"] == before["instant"]["access_token"]
    assert simulator.backend.count("/connection/public_token/exchange") == exchanges


def test_only_the_first_window_gets_the_page(page: Page, simulator: Simulator, tmp_path: Path) -> None:
    """A second window gets nothing, nor does another site that posts to the page."""
    with linking(simulator, tmp_path, "instant") as command:
        page.goto(command.address)
        page.frame_locator("iframe").get_by_label("User name").wait_for()
        second = page.context.new_page()
        answer = second.goto(command.address)
        assert answer is not None
        assert (answer.status, "opened already" in answer.text(), "script" in answer.text()) == (410, True, False)
        second.goto(form_at(simulator))  # any page of another origin
        options = {"method": "POST", "mode": "no-cors", "body": json.dumps({"type": "exit", "step": 1})}
        post = f"fetch('{command.address}said', {json.dumps(options)}).catch(() => 'nothing')"
        assert second.evaluate(post) == "nothing"
        second.close()
        assert page.get_by_text("The form was closed").count() == 0
        fill(page.frame_locator("iframe"), User_name=f"instant+{tmp_path.name}", Password="pass_good")
        assert command.end()[0] == 0
        with pytest.raises(OSError, match="refused"):  # the address is no more
            asked(command.port, "GET", "/")


def asked(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Make one raw request; return the status, the headers and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_SECONDS)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def status_of(port: int, request: bytes) -> bytes:
    """Send bytes as a request; return the first line of the answer, or nothing."""
    with socket.create_connection(("127.0.0.1", port), LONGEST_SECONDS) as connection, suppress(OSError):
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536).partition(b"\r\n")[0]
    return b""


class Window:
    """A window without a browser: it opens the page, reads its events and says what a test wants."""

    def __init__(self, address: str) -> None:
        """Open the page and its stream of events."""
        self.port, self.path = int(re.findall(r":(\d+)/", address)[0]), "/" + address.split("/", 3)[3]
        self.status, self.headers, content = asked(self.port, "GET", self.path)
        self.text = content.decode()
        self.token = re.findall(r'"window": "([^"]+)"', self.text)[0]
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_SECONDS)
        self._connection.request("GET", f"{self.path}events", headers={"x-linkless-window": self.token})
        self._stream = self._connection.getresponse()
        self.heard: list[str] = []

    def next(self, kind: str) -> dict[str, Any]:
        """Return the next event of a kind."""
        while line := self._stream.readline():
            self.heard.append(line.decode())
            event: dict[str, Any] = json.loads(line) if line.strip() else {"type": None}
            if event["type"] == kind:
                return event
        raise AssertionError(f"no event {kind}")

    def say(self, message: Any, **headers: str) -> int:
        """Post a message as the page does; return the status."""
        own = {"x_linkless_window": self.token, "origin": f"http://127.0.0.1:{self.port}"}
        body = json.dumps(message).encode()
        return asked(self.port, "POST", f"{self.path}said", body, **{**own, **headers})[0]

    def close(self) -> None:
        """Close the stream, as a window does that is closed."""
        self._stream.close()
        self._connection.close()


def public_token(simulator: Simulator, window: Window, username: str) -> str:
    """Do what the form does: submit a login with the link token of the window; return the public token."""
    event = window.next("link")
    login = {"username": username, "password": "pass_good", "source_id": event["source_id"]}
    body = json.dumps({"link_token": event["token"], **login}).encode()
    answer = simulator.backend.answer("POST", "/link/connect", {"content-type": "application/json"}, body)
    token: str = json.loads(answer.body)["public_token"]
    return token


def test_requests_that_are_not_from_the_window_get_nothing(simulator: Simulator, tmp_path: Path) -> None:
    """A foreign host, a guessed address, a foreign origin, another site, no token of the window: 404 or 421, empty."""
    with linking(simulator, tmp_path, "instant") as command:
        path = "/" + command.address.split("/", 3)[3]
        for host in ("evil.example", f"evil.example:{command.port}", "localhost", f"localhost:{command.port}"):
            assert asked(command.port, "GET", path, host=host)[::2] == (421, b"")
        assert asked(command.port, "GET", "/")[::2] == (404, b"")
        assert asked(command.port, "GET", f"{path}events")[::2] == (404, b"")
        header = f"host: 127.0.0.1:{command.port}".encode()
        for garbage in (b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\xff" * 200_000, b"GET / HTTP/1.1\r\n" + header):
            assert status_of(command.port, garbage) == b""
        for line in (b"GET  HTTP/1.1", b"HEAD %b HTTP/1.1" % path.encode(), b"GET //evil.example%b x" % path.encode()):
            assert status_of(command.port, b"%b\r\n%b\r\n\r\n" % (line, header)) == b"HTTP/1.0 404 Not Found"
        window = Window(command.address)
        step = window.next("link")["step"]
        exit_ = {"type": "exit", "step": step}
        assert window.say(exit_, x_linkless_window="guessed") == 404
        assert window.say(exit_, origin="https://evil.example") == 404
        assert window.say(exit_, host="evil.example") == 404
        assert window.say(exit_, sec_fetch_site="cross-site") == 404
        assert window.say({"type": "exit", "x": "x" * 20_000}) == 413
        passed_over: list[Any] = [None, [], "exit", 7, {}, {"step": step}, {"type": "exit", "step": step + 1}]
        for odd in passed_over:
            assert window.say(odd) == 204
        stolen = asked(command.port, "GET", f"{path}events", x_linkless_window=window.token)
        assert stolen[::2] == (404, b"")  # the stream is for one reader
        assert window.say(exit_) == 204
        assert "closed before" in window.next("stopped")["text"]
        window.close()
        assert command.end()[0] == 3


def test_the_page_is_strict_and_holds_no_secret(simulator: Simulator, tmp_path: Path) -> None:
    """Nothing is kept or framed, only the provider's script and frame load, and no key or access token comes there."""
    with linking(simulator, tmp_path, "instant") as command:
        window = Window(command.address)
        policy = window.headers["content-security-policy"]
        origin = form_at(simulator).removesuffix("/link-initialize.js")
        nonce = re.findall(r"'nonce-([\w-]+)'", policy)[0]
        assert policy == (
            f"default-src 'none'; script-src 'nonce-{nonce}' {form_at(simulator)}; style-src 'unsafe-inline'; "
            f"frame-src {origin}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert (window.headers["cache-control"], window.headers["referrer-policy"]) == ("no-store", "no-referrer")
        token = public_token(simulator, window, f"instant+{tmp_path.name}")
        assert window.say({"type": "success", "step": 1, "public_token": token}) == 204
        window.next("done")
        assert command.end()[0] == 0
    shown = window.text + "".join(window.heard)
    access_token = command.links()["instant"]["access_token"]
    secrets = (simulator.client_id, simulator.secret, access_token, "pass_good")
    assert [secret for secret in secrets if secret in shown] == []


@pytest.mark.parametrize(
    ("given", "reason"), [("public-sandbox-used", "INVALID_PUBLIC_TOKEN"), (None, "NO_PUBLIC_TOKEN")]
)
def test_a_public_token_that_is_used_or_missing_is_told(
    simulator: Simulator, tmp_path: Path, given: str | None, reason: str
) -> None:
    """The login can be tried again at once; a success that is said twice counts once, and nothing is lost."""
    with linking(simulator, tmp_path, "instant") as command:
        window = Window(command.address)
        window.next("link")
        assert window.say({"type": "success", "step": 1, "public_token": given}) == 204
        assert window.next("stopped")["again"] is True
        assert "access_token" not in command.links().get("instant", {})
        window.say({"type": "again", "step": 2})
        token = public_token(simulator, window, f"instant+{tmp_path.name}")
        window.say({"type": "success", "step": 3, "public_token": token})
        with suppress(OSError):  # the command may have ended in the meantime
            window.say({"type": "success", "step": 3, "public_token": token})
        window.next("done")
        code, said = command.end()
    assert (code, "instant: linked." in said) == (0, True)
    assert reason not in said
    assert "access_token" in command.links()["instant"]


def test_a_form_that_stays_open_for_too_long_is_told(simulator: Simulator, tmp_path: Path) -> None:
    """Link tokens live twenty minutes: the form is taken away, and a new one can be had."""
    (tmp_path / "config.json").write_text(json.dumps(fleet_at(simulator, {"username": "instant+late"})), "utf-8")
    out, stopped = io.StringIO(), []

    def sit() -> None:
        window = Window(out.getvalue().split()[-1])
        stopped.append(window.next("stopped")["text"])
        window.say({"type": "next", "step": 2})
        window.next("done")

    class Opened(io.StringIO):
        """An output that starts the window once the address stands there."""

        def write(self, text: str) -> int:
            count = out.write(text)
            if "http://" in text:
                Thread(target=sit).start()
            return count

    terminal = Terminal(Opened(), io.StringIO())
    workspace = Workspace(ConfigText.read(tmp_path / "config.json"))
    linking_late = link_in_browser(terminal, workspace, (), script=form_at(simulator), opens=False, link_seconds=0.2)
    with ThreadPoolExecutor(1) as thread:  # the browser of the other tests has the event loop of this one
        code = thread.submit(asyncio.run, linking_late).result()
    assert (code, stopped) == (3, ["The form was open for too long, and its link token has expired."])
    assert "instant+late: needs you. LINK_TOKEN_EXPIRED." in out.getvalue()


def test_ctrl_c_reports_every_login(simulator: Simulator, tmp_path: Path) -> None:
    """It ends at once, with the file as it was."""
    with linking(simulator, tmp_path, "instant", "captcha") as command:
        window = Window(command.address)
        window.next("link")
        command.process.send_signal(signal.SIGINT)
        done = window.next("done")
        code, said = command.end()
    assert (code, done["heading"]) == (130, "The command was interrupted")
    assert done["text"].startswith("Linked: 0 of 2. Configuration written to")
    assert "instant: needs you. INTERRUPTED. It was not linked. captcha: needs you. INTERRUPTED." in said
    assert command.links() == {}


def test_nothing_is_opened_when_every_login_has_its_token(simulator: Simulator, tmp_path: Path) -> None:
    """It says so; the options that make no sense together are refused."""
    connection = {"method": "access_token", "access_token": "access-sandbox-mine", "key": "site"}
    config = {**fleet_at(simulator), "connection": connection}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code, said, _ = run_without_terminal(["link", "--browser", "--config", "config.json"], tmp_path, "")
    assert (code, "Nothing to link: every login has its token." in said) == (0, True)
    wrong = run_without_terminal(["link", "--browser", "--dry-run", "--config", "config.json"], tmp_path, "")
    assert (wrong[0], "--browser takes neither" in wrong[2]) == (2, True)
