"""The simulator over real HTTP, and as a command."""

import http.client
import itertools
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from linkless_simulator import Simulator
from linkless_simulator.__main__ import main
from linkless_simulator.backend import Backend
from linkless_simulator.faults import Planned
from linkless_simulator.scenarios import STORIES
from testing.simulator_talk import SMALL

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Start a simulator with small documents."""
    with Simulator(Backend(sizes=SMALL)) as running:
        yield running


@pytest.fixture
def session(simulator: Simulator) -> Iterator[requests.Session]:
    """Return an HTTP session with good keys."""
    with requests.Session() as session:
        session.headers.update({"x-deck-client-id": simulator.client_id, "x-deck-secret": simulator.secret})
        yield session


def test_a_login_becomes_bills_over_http(simulator: Simulator, session: requests.Session) -> None:
    """The whole way of the provider's guide, through a port."""

    def post(path: str, **body: Any) -> Any:
        response = session.post(simulator.url + path, json=body, timeout=10)
        response.raise_for_status()
        return response.json()

    link_token = post("/link/token/create")["link_token"]
    login = {"source_id": simulator.source_id, "username": "instant", "password": "pass_good"}
    public_token = post("/link/connect", link_token=link_token, **login)["public_token"]
    access_token = post("/connection/public_token/exchange", public_token=public_token)["access_token"]
    assert post("/link/connection/status", link_token=link_token)["status"] == "Connected"
    assert post("/sustainability/get", access_token=access_token) == simulator.backend.document("instant")
    assert [entry.status for entry in simulator.backend.journal] == [200] * 5


def test_a_connection_is_kept_alive(simulator: Simulator) -> None:
    """Several requests, refused ones too, travel over one socket."""
    with closing(http.client.HTTPConnection(simulator.url.split("/")[2], timeout=10)) as connection:
        sockets = set()
        for path in ("/api/v1/test/api_keys", "/elsewhere", "/api/v1/test/api_keys"):
            connection.request("GET", path, headers={"x-deck-client-id": "wrong"})
            response = connection.getresponse()
            sockets.add((response.status, connection.sock))
            response.read()
    assert {status for status, _socket in sockets} == {401, 404}
    assert len({socket for _status, socket in sockets}) == 1


def test_a_dropped_answer_looks_like_a_lost_connection(simulator: Simulator, session: requests.Session) -> None:
    """The socket is closed without a byte; the next request works."""
    simulator.backend.plan(Planned("/link/token/create", dropped=True))
    with pytest.raises(requests.ConnectionError):
        session.post(f"{simulator.url}/link/token/create", json={}, timeout=10)
    assert session.post(f"{simulator.url}/link/token/create", json={}, timeout=10).status_code == 200


def test_a_late_answer_is_late(simulator: Simulator, session: requests.Session) -> None:
    """A client that does not wait long enough gives up."""
    simulator.backend.plan(Planned("/link/token/create", delay=60))
    with pytest.raises(requests.ReadTimeout):
        session.post(f"{simulator.url}/link/token/create", json={}, timeout=0.05)


def test_stopping_ends_idle_and_waiting_connections(simulator: Simulator) -> None:
    """Nobody has to hang up first, and a held answer is not waited for."""
    simulator.backend.plan(Planned("/test/api_keys", delay=600))
    host, port = simulator.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as idle:
        idle.sendall(b"GET /api/v1/test/api_keys HTTP/1.1\r\n\r\n")
        with socket.create_connection((host, int(port)), timeout=10) as other:
            other.sendall(b"GET /nothing HTTP/1.1\r\n\r\n")
            assert other.recv(12) == b"HTTP/1.1 404"
        simulator.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = simulator.url
    simulator.stop()


def test_many_clients_are_served_at_once(simulator: Simulator) -> None:
    """Two hundred logins over sixteen threads: each is answered, none is mixed up."""
    tokens = {f"instant+{n}": simulator.backend.link(f"instant+{n}") for n in range(200)}
    headers = {"x-deck-client-id": simulator.client_id, "x-deck-secret": simulator.secret}

    def fetch(token: str) -> Any:
        url = f"{simulator.url}/sustainability/get"
        return requests.post(url, json={"access_token": token}, headers=headers, timeout=30).json()["username"]

    with ThreadPoolExecutor(16) as pool:
        names = list(pool.map(fetch, tokens.values()))
    assert names == list(tokens)
    assert simulator.backend.count("/sustainability/get") == 200


@pytest.mark.parametrize(("end", "written"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_the_command_prints_a_configuration_and_stops_cleanly(
    tmp_path: Path, end: signal.Signals, *, written: bool
) -> None:
    """It prints (and writes) a configuration, says how to try it, knows linked logins and faults, ends with 0."""
    file = tmp_path / "config.json"
    command = [sys.executable, "-W", "error", "-m", "linkless_simulator", "--login", "mfa+1", "--linked", "instant"]
    command += ["--write-config", str(file)] if written else ["--fault", "http_503=/link/connect"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        printed = [*itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout)]
        config = json.loads("".join(printed[printed.index("{\n") : printed.index("}\n") + 1]))
        token = Backend(sizes=SMALL).link("instant")
        keys = {"x-deck-client-id": config["client_id"], "x-deck-secret": config["secret"]}
        answer = requests.post(
            f"{config['api_url']}/sustainability/get", json={"access_token": token}, headers=keys, timeout=10
        )
        damaged = requests.post(f"{config['api_url']}/link/connect", json={}, headers=keys, timeout=10)
        process.send_signal(end)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert rest == "\nThe simulator has stopped.\n"
    assert f"  source-linkless check --config {file if written else 'config.json'}\n" in printed
    assert answer.json()["username"] == "instant"
    assert damaged.status_code == (400 if written else 503)
    assert config["connection"]["username"] == "mfa+1"
    assert file.exists() is written
    if written:
        assert json.loads(file.read_text(encoding="utf-8")) == config
        assert (file.stat().st_mode & 0o777) == 0o600


def test_the_stories_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every story has a line of its own."""
    assert main(["--stories"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(STORIES)
