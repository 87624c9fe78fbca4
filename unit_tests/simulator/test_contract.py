"""The contract is sound, and the simulator holds every request to it."""

import json
from typing import Any

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest
from openapi_spec_validator import validate

from linkless_simulator.answers import CATEGORIES
from linkless_simulator.backend import RULES
from linkless_simulator.contract import CONTRACT_PATH, shipped_contract
from linkless_simulator.sources import ORDINARY
from testing.simulator_talk import KEYS, Talk

DOCUMENT: dict[str, Any] = yaml.safe_load(CONTRACT_PATH.read_text(encoding="utf-8"))
LOGIN = {"link_token": "link-x", "source_id": ORDINARY.source_id}
FIELDS = [{"field_name": "login_name", "field_value": "user_good"}]
FORMS_OF_UPDATE = (
    'body.update: fits none of its forms (body.update: access_token is missing | body.update: breaks type "null")'
)
FORMS_OF_CONNECT = (
    "body: fits none of its forms (body: fields is missing; body: username is unknown | body: password is missing)"
)

# (path, body, whether the contract allows it)
REQUESTS: list[tuple[str, Any, bool]] = [
    ("/link/token/create", {}, True),
    ("/link/token/create", {"auto_refresh": None, "parsing_method": "FullSustainability"}, True),
    ("/link/token/create", {"update": {"access_token": "a", "mode": "Refresh"}}, True),
    ("/link/token/create", {"update": {"access_token": "a", "mode": "Again"}}, False),
    ("/link/token/create", {"update": {"access_token": "a"}}, False),
    ("/link/token/create", {"auto_refresh": "yes"}, False),
    ("/link/token/create", {"client_id": "c"}, False),
    ("/link/sources", {"link_token": "l", "search": "ab"}, False),
    ("/link/sources", {"link_token": "l", "search": "abc"}, True),
    ("/link/connect", {**LOGIN, "username": "u", "password": "p"}, True),
    ("/link/connect", {**LOGIN, "fields": FIELDS}, True),
    ("/link/connect", {**LOGIN, "fields": FIELDS, "username": "u", "password": "p"}, False),
    ("/link/connect", {**LOGIN, "username": "u"}, False),
    ("/link/connect", {**LOGIN, "source_id": "42", "username": "u", "password": "p"}, False),
    ("/link/connect", {**LOGIN, "fields": {"login_name": "u"}}, False),
    ("/link/connection/status", {"link_token": "l"}, True),
    ("/link/connection/status", {"link_token": ""}, False),
    ("/link/connection/status", {}, False),
    ("/link/connection/status", [], False),
    ("/link/authentication/mfa/answer", {"link_token": "l", "answer": 123456}, False),
    ("/link/account/select", {"link_token": "l", "accounts": ["1"]}, False),
    ("/connection/public_token/exchange", {"public_token": "p"}, True),
    ("/connection/context", {"access_token": "a", "public_token": "p"}, False),
    ("/connection/refresh", {"access_token": "a", "account_numbers": ["1"]}, True),
    ("/sustainability/get", {"access_token": "a"}, True),
    ("/sustainability/get", {"access_token": "a", "page": 1}, False),
    ("/sustainability/get", {"access_token": None}, False),
]


@pytest.fixture(scope="module")
def openapi() -> OpenAPI:
    """Return the contract as the whole of openapi-core reads it."""
    return OpenAPI.from_dict(DOCUMENT)


def test_the_contract_is_valid_openapi() -> None:
    """The description keeps the rules of OpenAPI 3.1."""
    validate(DOCUMENT)


def test_every_operation_and_schema_says_where_it_comes_from() -> None:
    """Each operation and schema names its sources, by the keys of x-sources."""
    stated = [operation["x-provenance"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    stated += [schema["x-provenance"] for schema in DOCUMENT["components"]["schemas"].values()]
    names = {name for entry in stated for name in ([entry] if isinstance(entry, str) else entry)}
    assert names <= set(DOCUMENT["x-sources"])


def test_the_simulator_has_a_rule_for_every_path_and_no_other() -> None:
    """What the contract describes is what the simulator answers."""
    assert set(RULES) == set(DOCUMENT["paths"])


def test_the_simulator_knows_only_error_codes_of_the_contract() -> None:
    """Categories are declared for documented codes."""
    assert set(CATEGORIES) <= set(DOCUMENT["components"]["schemas"]["ErrorCode"]["anyOf"][0]["enum"])


@pytest.mark.parametrize(("path", "body", "allowed"), REQUESTS)
def test_the_quick_check_agrees_with_the_whole_of_openapi_core(
    openapi: OpenAPI, path: str, body: Any, *, allowed: bool
) -> None:
    """Validating the body ourselves gives the verdict that openapi-core gives on the request."""
    server = DOCUMENT["servers"][0]["url"].removesuffix("/api/v1")
    request = MockRequest(server, "post", f"/api/v1{path}", headers=dict(KEYS), data=json.dumps(body).encode())
    assert (not list(openapi.request_validator.iter_errors(request))) is allowed
    broken = Talk().raw(path, body).problem
    assert (broken is None) is allowed


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("/link/connection/status", {}, "body: link_token is missing"),
        ("/link/connection/status", {"link_token": ""}, "body.link_token: breaks minLength 1"),
        ("/link/connection/status", [], 'body: breaks type "object"'),
        ("/sustainability/get", {"access_token": "a", "page": 1}, "body: page is unknown"),
        (
            "/link/connect",
            {**LOGIN, "username": "u"},
            FORMS_OF_CONNECT,
        ),
        (
            "/link/token/create",
            {"update": {"mode": "Refresh"}},
            FORMS_OF_UPDATE,
        ),
    ],
)
def test_a_request_that_breaks_the_contract_is_told_what_is_wrong(path: str, body: Any, problem: str) -> None:
    """The answer is 400 VALIDATION_FAILED, its message names the place, and the journal keeps it."""
    talk = Talk()
    answer = talk.raw(path, body)
    error = json.loads(answer.body)
    assert (answer.status, error["error_code"], error["error_message"]) == (400, "VALIDATION_FAILED", problem)
    assert [(e.path, e.status, e.problem) for e in talk.backend.journal] == [(path, 400, problem)]


def test_a_message_never_quotes_a_value() -> None:
    """A password in a broken request appears neither in the answer nor in the journal."""
    talk = Talk()
    answer = talk.raw("/link/connect", {**LOGIN, "username": "u", "password": {"hunter": "two-secrets"}})
    assert b"two-secrets" not in answer.body
    assert "two-secrets" not in repr(talk.backend.journal)


def test_a_body_that_is_not_json_is_refused() -> None:
    """Bytes that do not parse answer VALIDATION_FAILED."""
    answer = Talk().backend.answer("POST", "/sustainability/get", KEYS, b"{")
    assert (answer.status, answer.problem) == (400, "body: is not JSON")


def test_another_content_type_is_refused() -> None:
    """Bodies are JSON and say so."""
    answer = Talk().backend.answer(
        "POST", "/sustainability/get", KEYS | {"content-type": "text/plain"}, b'{"access_token": "a"}'
    )
    assert (answer.status, answer.problem) == (400, "header content-type: must be application/json")


def test_the_contract_is_compiled_once() -> None:
    """Two backends share one compiled contract."""
    assert shipped_contract() is shipped_contract()
