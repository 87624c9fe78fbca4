"""No secret and no token in what the connector says, whatever happens and however talkative it is.

Runs every command over logins that succeed and fail in every way, and looks for everything that was secret, in every
form in which it could show up. Only CONTROL, which the platform stores as secret, may hold it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from integration_tests.connector import Connector, Run, edited, fleet_at, login_at, together
from linkless_simulator import Simulator
from linkless_simulator.answers import Fault
from linkless_simulator.faults import Planned
from linkless_simulator.sources import WITH_PIN

CLIENT_SECRET = "client-secret-\"of'-nöbody-\\x"
PASSWORDS = (
    "first-pässwörd\nof two lines",
    "double\"quoted-pass-word'single",
    "back\\slash-pass\\nword",
    "ключ-密码-🔑-pass",
)
PIN_CODE = "pin-cöde-90210"
TOKEN = "access-sandbox-7e57ab1e-0000-4000-8000-00000000dead"
STORIES = (
    *("user_good", "partial", "invoices", "broken", "no_accounts", "never_ready", "never_connects"),
    *("wrong_password", "locked", "mfa", "captcha", "consent", "source_unknown", "error", "connect_500"),
    *(
        "exchange_500",
        "exchange_refused",
        "unauthorized",
        "product_gone",
        "unknown_code",
        "unknown_status",
        "forgotten",
    ),
)
HOLDS_SECRETS = {"access_token", "password", "secret", "login_fields", "connections"}


def forms_of(secret: str) -> set[str]:
    """Return the forms in which a secret could be printed by mistake."""
    raw = secret.encode()
    escaped = {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(raw)[2:-1],
    }
    twice = {json.dumps(one)[1:-1] for one in escaped} | {json.dumps(one, ensure_ascii=False)[1:-1] for one in escaped}
    encoded = {quote(secret), quote(secret, safe=""), quote_plus(secret), base64.b64encode(raw).decode().rstrip("=")}
    return {secret, *secret.splitlines(), *escaped, *twice, *encoded}


def tokens_in(runs: list[Run]) -> set[str]:
    """Return every token and salt that any run has written back."""
    links = [json.loads(config["links"]) for run in runs for config in run.written]
    tokens = {link.get("access_token") for one in links for link in one["connections"].values()}
    return {str(token) for token in tokens if token} | {one["salt"] for one in links}


def big_fleet(simulator: Simulator, **options: Any) -> dict[str, Any]:
    """Return logins of every story with passwords of every kind, fields, and tokens that nobody knows."""
    right = ({"username": f"{story}+secret"} for story in STORIES)
    wrong = ({"username": f"user_good+{n}", "password": password} for n, password in enumerate(PASSWORDS))
    fields = {"key": "pin", "source_id": WITH_PIN.source_id, "login_fields": {"customer": "instant", "pin": PIN_CODE}}
    listed = fleet_at(simulator, *right, *wrong, {"key": "token", "access_token": TOKEN}, **options)
    entries = [*json.loads(listed["connection"]["connections"]), fields]
    return edited(listed, connections=json.dumps(entries, ensure_ascii=False))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Run check, discover and read over everything that can go wrong, quietly and in debug mode."""
    connector = Connector(tmp_path_factory.mktemp("secrets"))
    with Simulator() as simulator:
        simulator.backend.plan(Planned("/connection/context", Fault(None, 500).answer(), times=3))
        fleet = big_fleet(simulator, data_timeout_minutes=0.08, max_requests_per_second=400)
        wrong_key = {**fleet, "secret": CLIENT_SECRET}
        single = edited(login_at(simulator, "user_good+single"), password=PASSWORDS[0])
        broken = edited(fleet, connections=fleet["connection"]["connections"][:-2])
        calls: list[Callable[[], Run]] = [
            partial(connector.read, fleet),
            partial(connector.read, {**fleet, "failed_connections": "fail"}, "--debug", LOG_LEVEL="debug"),
            partial(connector.read, {**single, "api_url": "http://127.0.0.1:9"}, LOG_LEVEL="debug"),
            partial(connector.check, single, "--debug"),
            partial(connector.check, wrong_key, "--debug", LOG_LEVEL="debug"),
            partial(connector.check, broken, "--debug"),
            partial(connector.discover, wrong_key, "--debug", LOG_LEVEL="debug"),
        ]
        return together(*calls)


def test_the_runs_went_through_what_they_are_about(runs: list[Run]) -> None:
    """Every story left its row, tokens were obtained, and the endings are the expected ones."""
    quiet, loud, unreachable, refused, wrong_key, broken, discovered = runs
    assert [run.code for run in runs] == [0, 1, 1, 0, 0, 0, 0]
    assert {row["status"] for row in quiet.rows("connections")} == {
        "ready",
        "no_data",
        "pending",
        "needs_user",
        "failed",
    }
    assert len(quiet.rows("connections")) == len(loud.rows("connections")) == len(STORIES) + len(PASSWORDS) + 2
    assert len(tokens_in(runs)) > len(STORIES)
    assert loud.logs("DEBUG")
    assert refused.of("DEBUG")
    assert unreachable.errors[0]["failure_type"] == "transient_error"
    assert [run.verdict[0] for run in (refused, wrong_key, broken)] == ["FAILED"] * 3
    assert discovered.of("CATALOG")


def test_no_secret_and_no_token_is_ever_said(runs: list[Run], simulator: Simulator) -> None:
    """Nothing of what was configured or obtained stands in any output of any run, in any form."""
    planted = {CLIENT_SECRET, simulator.secret, *PASSWORDS, "pass_good", PIN_CODE, TOKEN}
    secrets = planted | tokens_in(runs)
    said = "\n".join(run.said for run in runs)
    assert [form for secret in secrets for form in forms_of(secret) if form in said] == []


def test_what_is_written_back_holds_the_secrets_whole(runs: list[Run]) -> None:
    """Masking does not reach the configuration: a masked password would lock the login out of the next sync."""
    written = [config for run in runs for config in run.written]
    assert written
    for config in written:
        assert "****" not in json.dumps(config)
        assert HOLDS_SECRETS & set(config["connection"]) <= {"connections", "password"}
