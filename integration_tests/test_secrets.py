"""No secret and no token in what the connector says or leaves, whatever happens and at any log level.

Runs every command of both programs over logins that succeed and fail in every way, at a provider that says everything
back that it is told. Only CONTROL, which the platform stores as secret, and the file of the command may hold a secret.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from integration_tests.test_linkless_command import CODE, CONFIRM, PROGRAM
from linkless_simulator import Simulator
from linkless_simulator.answers import Fault
from linkless_simulator.faults import Planned
from linkless_simulator.situations import MFA_CODE, MFA_REPLY, READY, SECURITY, SECURITY_REPLY
from linkless_simulator.sources import WITH_PIN
from linkless_simulator.stages import Reply, Stage
from linkless_simulator.story import Story, after_login
from testing.connector import Connector, Run, edited, fleet_at, login_at, together
from testing.forked_command import run_without_terminal, type_at
from testing.forked_connector import ForkedRun
from testing.fuzzing import examples
from testing.leaks import EchoingBackend, contents_of, found_in

PSEUDONYM_KEY = 'pseudonym-kéy of "16" letters or more'
CLIENT_SECRET = "client-secret-\"of'-nöbody-\\x"
PASSWORDS = (
    "first-pässwörd\nof two lines",
    "double\"quoted-pass-word'single",
    "back\\slash-pass\\nword",
    "ключ-密码-🔑-pass",
)
RIGHT_PASSWORD = "pass_good"
PIN_CODE = "pin-cöde-90210"
MFA_ANSWER, PET = "mfa-answer-4711", "pet-name-rex-the-third"
TOKEN = "access-sandbox-7e57ab1e-0000-4000-8000-00000000dead"
STORIES = (
    *("user_good", "partial", "invoices", "undocumented", "unknown_shape", "broken", "no_accounts", "never_ready"),
    *("never_connects", "wrong_password", "locked", "mfa", "captcha", "consent", "source_unknown", "error"),
    *("connect_500", "exchange_500", "exchange_refused", "unauthorized", "product_gone", "html_error"),
    *("unknown_code", "unknown_reason", "unknown_status", "forgotten", "rate_limited", "error_200"),
)
HOLDS_SECRETS = {"access_token", "password", "secret", "login_fields", "connections"}


@dataclass(frozen=True)
class Said:
    """All that was said and left: by the connector, by the command, and what the provider knows to be secret."""

    connector: list[Run]
    command: list[tuple[int, str]]
    left: str
    backend: EchoingBackend

    @property
    def text(self) -> str:
        """Everything in one text, but CONTROL."""
        return "\n".join([*(run.said for run in self.connector), *(text for _, text in self.command), self.left])


def secrets_of(said: Said) -> set[str]:
    """Return what was planted, what the provider handed out, and every token and salt that was written back."""
    links = [json.loads(config["links"]) for run in said.connector for config in run.written]
    tokens = {link.get("access_token") for one in links for link in one["connections"].values()}
    planted = {
        CLIENT_SECRET,
        PSEUDONYM_KEY,
        Simulator.secret,
        *PASSWORDS,
        RIGHT_PASSWORD,
        PIN_CODE,
        MFA_ANSWER,
        PET,
        TOKEN,
    }
    handed_out = {TOKEN, *(str(token) for token in tokens if token), *(one["salt"] for one in links)}
    return planted | handed_out | said.backend.secrets


def big_fleet(simulator: Simulator, **options: Any) -> dict[str, Any]:
    """Return logins of every story with passwords of every kind, fields, and tokens that nobody knows."""
    right = ({"username": f"{story}+secret"} for story in STORIES)
    wrong = ({"username": f"user_good+{n}", "password": password} for n, password in enumerate(PASSWORDS))
    fields = {
        "key": "pin",
        "source_id": WITH_PIN.source_id,
        "login_fields": {"customer": "instant", "pin": PIN_CODE},
    }
    listed = fleet_at(simulator, *right, *wrong, {"key": "token", "access_token": TOKEN}, **options)
    entries = [*json.loads(listed["connection"]["connections"]), fields]
    return edited(listed, connections=json.dumps(entries, ensure_ascii=False))


def of_connector(simulator: Simulator, folder: Path, temporary: Path) -> list[Run]:
    """Run check, discover and read over everything that can go wrong, quietly and in debug mode."""
    connector = Connector(folder)
    fleet = big_fleet(simulator, data_timeout_minutes=0.08, max_requests_per_second=400)
    hashed = {**fleet, "personal_data": "hash", "pseudonym_key": PSEUDONYM_KEY}
    wrong_key = {**hashed, "secret": CLIENT_SECRET}
    single = edited(login_at(simulator, "user_good+single"), password=PASSWORDS[0])
    broken = edited(hashed, connections=fleet["connection"]["connections"][:-2])
    private = str(temporary)
    check = partial(connector.check, TMPDIR=private)
    loud = partial(connector.read, LOG_LEVEL="debug", TMPDIR=private)
    calls: list[Callable[[], Run]] = [
        partial(connector.read, fleet, TMPDIR=private),
        partial(loud, {**hashed, "failed_connections": "fail"}, "--debug"),
        partial(loud, {**single, "api_url": "http://127.0.0.1:9"}),
        partial(check, single, "--debug"),
        partial(check, wrong_key, "--debug", LOG_LEVEL="debug"),
        partial(check, broken, "--debug"),
        partial(connector.discover, wrong_key, "--debug", LOG_LEVEL="debug", TMPDIR=private),
        partial(
            connector.check, login_at(simulator, "unknown_code+check"), "--debug", LOG_LEVEL="debug", TMPDIR=private
        ),
    ]
    return together(*calls)


def of_command(simulator: Simulator, folder: Path, temporary: Path) -> list[tuple[int, str]]:
    """Run every command of `linkless`: in a pipe, and at a terminal where codes and answers are typed."""
    names = [{"username": name} for name in ("instant+c", "mfa+c", "security_question+c", "unknown_reason+c")]
    fleet = fleet_at(simulator, *names, {"username": "user_good+c", "password": PASSWORDS[1]})
    config = folder / "config.json"
    config.write_text(json.dumps(fleet), encoding="utf-8")

    def piped(*arguments: str, text: str = "") -> tuple[int, str]:
        run = subprocess.run(
            [str(PROGRAM), *arguments, "--config", str(config)],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            env={"TMPDIR": str(temporary), "LOG_LEVEL": "debug"},
        )
        return run.returncode, run.stdout + run.stderr

    def typed(*arguments: str, talk: tuple[str, str]) -> tuple[int, str]:
        return type_at([*arguments, "--config", config.name], [talk], folder)

    def forked(*arguments: str) -> tuple[int, str]:
        code, *outputs = run_without_terminal([*arguments, "--config", config.name], folder, "")
        return code, "\n".join(outputs)

    return [
        forked("link", "--dry-run"),
        typed("link", "--key", "mfa+c", talk=(CODE, MFA_ANSWER)),
        typed("link", "--key", "security_question+c", talk=(CODE, PET)),
        piped("link"),
        forked("status"),
        forked("status", "--json"),
        forked("sources", "springfield"),
        piped("link", "--key", "user_good+c", "--password-stdin", text=PASSWORDS[2]),
        forked("forget", "--key", "instant+c", "--dry-run"),
        typed("forget", "--key", "instant+c", talk=(CONFIRM, "instant+c")),
    ]


def after_question(question: Stage, reply: Reply, expects: str) -> Story:
    """Return a story whose question wants an answer that nothing else could say."""
    reply = Reply(reply.question, expects, reply.wrong, reply.late)
    return Story("Asks", after_login(Stage(question.shows, reply), Stage(READY)))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """Run everything once."""
    folder, temporary = tmp_path_factory.mktemp("secrets"), tmp_path_factory.mktemp("temporary")
    backend = EchoingBackend(temporary)
    with Simulator(backend) as simulator:
        backend.tell("mfa+c", after_question(Stage(MFA_CODE), MFA_REPLY, MFA_ANSWER))
        backend.tell("security_question+c", after_question(Stage(SECURITY), SECURITY_REPLY, PET))
        backend.plan(Planned("/connection/context", Fault(None, 500).answer(), times=3))
        backend.plan(Planned("/link/token/create", dropped=True, times=2))
        backend.plan(Planned("/sustainability/get", Fault("UNEXPECTED_ERROR", 500).answer(), times=3))
        connector = of_connector(simulator, folder, temporary)
        command = of_command(simulator, folder, temporary)
    return Said(connector, command, "\n".join([backend.seen, *contents_of(temporary)]), backend)


def test_the_runs_went_through_what_they_are_about(said: Said) -> None:
    """Every story left its row, tokens were obtained, and the endings are the expected ones."""
    quiet, loud, unreachable, refused, wrong_key, broken, discovered, unknown = said.connector
    assert [run.code for run in said.connector] == [0, 1, 1, 0, 0, 0, 0, 0]
    statuses = {row["status"] for row in quiet.rows("connections")}
    assert statuses == {"ready", "no_data", "pending", "needs_user", "failed"}
    assert len(quiet.rows("connections")) == len(loud.rows("connections")) == len(STORIES) + len(PASSWORDS) + 2
    assert loud.logs("DEBUG")
    assert refused.logs("DEBUG")
    assert unreachable.errors[0]["failure_type"] == "transient_error"
    assert [run.verdict[0] for run in (refused, wrong_key, broken)] == ["FAILED"] * 3
    assert discovered.of("CATALOG")
    assert unknown.verdict
    assert [code for code, _ in said.command] == [0, 0, 0, 3, 3, 3, 0, 3, 0, 0]
    assert {MFA_ANSWER, PET, *PASSWORDS} <= said.backend.secrets
    assert {token.split("-", 1)[0] for token in said.backend.secrets} >= {"link", "public", "access"}


def test_the_connector_was_watched(said: Said) -> None:
    """Its processes and its temporary folder were looked at while it worked."""
    assert said.backend.looks > 20
    assert "source-linkless" in said.backend.seen


def test_no_secret_and_no_token_is_ever_said(said: Said) -> None:
    """Nothing of what was configured, typed or obtained stands in any output, process or file, in any form."""
    assert found_in(said.text, secrets_of(said)) == []


def test_what_was_said_back_is_seen_to_be_hidden(said: Said) -> None:
    """The documents held secrets: where one stood there are asterisks, and everything around them is there."""
    quiet = said.connector[0]
    (row,) = [row for row in quiet.rows("accounts") if row["connection_key"] == "user_good+secret"]
    assert row["other_fields"]["login"]["password"] == "****"
    assert {*row["other_fields"]["login"]["sent"]} == {"****"}
    names = {row["customer_name"] for row in quiet.rows("statements") if row["connection_key"] == "user_good+secret"}
    assert {name.partition(", ")[2] for name in names} == {"token ****, key ****"}
    (unknown,) = [row for row in quiet.rows("connections") if row["connection_key"] == "unknown_code+secret"]
    assert unknown["reason"] == "****"


def test_what_is_written_back_holds_the_secrets_whole(said: Said) -> None:
    """Masking does not reach the configuration: a masked password would lock the login out of the next sync."""
    written = [config for run in said.connector for config in run.written]
    assert written
    for config in written:
        assert "****" not in json.dumps(config)
        assert HOLDS_SECRETS & set(config["connection"]) <= {"connections", "password"}


BREAKING = ["1", '"', "{", ":", "\\", "e", "true", "null", "type", "TRACE", "emitted_at", "config_error", "message"]
"""Secrets that are part of the protocol's own text."""


@examples(12)
@given(secret=st.sampled_from(BREAKING) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_no_secret_breaks_a_line_of_the_output(secret: str) -> None:
    """Every line is JSON, and the kind of the failure is legible, whatever the secret is."""
    assume(secret.strip().strip("*"))
    login = {"method": "login", "source_id": WITH_PIN.source_id, "key": "hq", "login_fields": {"account_type": secret}}
    keys = {"environment": "sandbox", "client_id": "c", "secret": "client-secret", "api_url": "http://127.0.0.1:9"}
    config = {**keys, "connection": login, "data_timeout_minutes": 0.01, "check_timeout_seconds": 1}
    with TemporaryDirectory() as folder:
        run = ForkedRun(Path(folder, "run"), "check", config).ended()
    (error,) = [one["trace"]["error"] for one in run.messages if one["type"] == "TRACE"]
    assert (error["failure_type"], run.code) == ("transient_error", 1)
    assert run.output.endswith(b"\n")


def test_the_search_finds_every_form() -> None:
    """What looks for secrets would find one: escaped, encoded, in the middle of Base64, cut into lines."""
    secret = PASSWORDS[1]
    texts = [json.dumps({"x": json.dumps(secret)}), repr(secret), secret.encode().hex(), f"{secret[:9]}\n{secret[9:]}"]
    assert [text for text in texts if not found_in(text, {secret})] == []
    whole = [base64.b64encode(b"x" * n + secret.encode() + b"yz").decode() for n in range(4)]
    assert [text for text in whole if not found_in(text, {secret})] == []
