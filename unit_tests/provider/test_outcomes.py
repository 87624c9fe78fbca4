"""What each reason code of the provider means: none of the contract is missing, and every row of the table holds."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from airbyte_cdk.models import FailureType

from source_linkless.errors import Actor, Meaning, Problem, Status, Then
from source_linkless.provider import outcomes
from source_linkless.provider.outcomes import (
    AT_DEADLINE,
    BROKEN,
    ERROR_CODES,
    HTTP_STATUSES,
    LINK_STATUSES,
    MEANINGS,
    OF_DOCUMENT,
    OF_FILE,
    OWN_CODES,
    READY,
    REASONS,
    UNKNOWN,
    WORKING,
    of_answer,
    of_context,
    of_link_status,
    of_problem,
    outcome,
    own,
)

CONTRACT = Path(__file__).parents[2] / "contract" / "openapi.yaml"
SCHEMAS: dict[str, Any] = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["components"]["schemas"]

CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error


Row = tuple[Status, Actor, Then, FailureType | None]

WORKS_ON: Row = (Status.PENDING, Actor.PROVIDER, Then.WAIT, TRANSIENT)
NOTHING_THERE: Row = (Status.NO_DATA, Actor.NOBODY, Then.STOP, None)
NEEDS_PERSON: Row = (Status.NEEDS_USER, Actor.USER, Then.STOP, CONFIG)
USER_ERROR: Row = (Status.FAILED, Actor.USER, Then.STOP, CONFIG)
PROVIDER_OUT: Row = (Status.FAILED, Actor.PROVIDER, Then.RETRY, TRANSIENT)
UTILITY_OUT: Row = (Status.FAILED, Actor.UTILITY, Then.RETRY, TRANSIENT)
SESSION_FAILED: Row = (Status.FAILED, Actor.UTILITY, Then.STOP, CONFIG)
SURPRISE: Row = (Status.FAILED, Actor.CONNECTOR, Then.STOP, SYSTEM)


def row(meaning: Meaning) -> Row:
    """Return what the table of outcomes says of a word, without the advice."""
    return (meaning.status, meaning.actor, meaning.then, meaning.failure)


def words(schema: str) -> set[str]:
    """Return the known values of an open list of the contract."""
    known, _ = SCHEMAS[schema]["anyOf"]
    return set(known["enum"])


@pytest.mark.parametrize(
    ("schema", "table"),
    [("ErrorCode", ERROR_CODES), ("LinkStatus", LINK_STATUSES), ("ConnectionStatusReason", REASONS)],
)
def test_a_table_holds_the_words_of_the_contract_and_no_other(schema: str, table: dict[str, Meaning]) -> None:
    """A word that the contract gains must be classified before the tests pass again."""
    assert set(table) == words(schema)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, NOTHING_THERE) for code in ("NO_ACCOUNTS", "NO_STATEMENTS")),
        ("PRODUCT_NOT_READY", WORKS_ON),
        ("RATE_LIMIT_EXCEEDED", (Status.PENDING, Actor.PROVIDER, Then.SLOW_DOWN, TRANSIENT)),
        ("INVALID_LINK_TOKEN", (Status.PENDING, Actor.PROVIDER, Then.ASK_CONTEXT, TRANSIENT)),
        *((code, PROVIDER_OUT) for code in ("PLANNED_MAINTENANCE", "UNEXPECTED_ERROR")),
        ("DATA_SOURCE_NOT_RESPONDING", UTILITY_OUT),
        ("INVALID_PUBLIC_TOKEN", (Status.FAILED, Actor.PROVIDER, Then.STOP, CONFIG)),
        *((code, NEEDS_PERSON) for code in ("INVALID_CREDENTIALS", "CONNECTION_LOCKED", "CONSENT_REQUIRED")),
        *((code, NEEDS_PERSON) for code in ("BLOCKED_BY_PIN", "SECURITY_QUESTION_NOT_FOUND")),
        ("SECURITY_CAPTCHA_NOT_FOUND", NEEDS_PERSON),
        *(
            (code, (Status.FAILED, Actor.USER, Then.RELINK, CONFIG))
            for code in ("CONNECTION_NOT_FOUND", "INVALID_ACCESS_TOKEN", "NO_ACTIVE_CONNECTION")
        ),
        *((code, USER_ERROR) for code in ("INVALID_SOURCE", "DATA_SOURCE_NOT_FOUND", "NOT_SUPPORTED")),
        *((code, USER_ERROR) for code in ("PRODUCT_NOT_ENABLED", "LIVE_CONNECTIVITY_NOT_ENABLED")),
        *((code, USER_ERROR) for code in ("VALIDATION_FAILED", "INVALID_ARGUMENT", "DOMAIN_BLACKLISTED")),
        *((code, USER_ERROR) for code in ("INVALID_ACCOUNT_ID", "INVALID_STATEMENT_ID", "INVALID_CURP")),
        *((code, USER_ERROR) for code in ("INVALID_DOCUMENT_UPLOAD", "ACTIVE_CONNECTION_EXISTS", "NO_JOB_FOUND")),
        *((code, USER_ERROR) for code in ("IDEMPOTENCY_KEY_INVALID", "IDEMPOTENCY_KEY_DUPLICATE")),
        *((code, USER_ERROR) for code in ("CORRELATION_ID_INVALID", "JOB_CANNOT_BE_CANCELED", "JOB_NOT_RUNNING")),
        ("INVALID_API_KEYS", (Status.FAILED, Actor.USER, Then.ASK_KEYS, CONFIG)),
        ("CONNECTION_FAILED", SESSION_FAILED),
    ],
)
def test_an_error_code_means(code: str, expected: Row) -> None:
    """The code decides, whatever the HTTP status beside it."""
    assert {row(of_answer(code, status)) for status in (200, 400, 401, 404, 429, 500)} == {expected}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, (Status.FAILED, Actor.USER, Then.ASK_KEYS, CONFIG)),
        (429, (Status.PENDING, Actor.PROVIDER, Then.SLOW_DOWN, TRANSIENT)),
        *((status, PROVIDER_OUT) for status in (408, 500, 502, 503, 504, 599)),
        *((status, SURPRISE) for status in (200, 204, 302, 400, 403, 404, 410, 422, 499)),
    ],
)
def test_without_a_known_code_the_http_status_decides(status: int, expected: Row) -> None:
    """No code and an undocumented code mean the same: an error that the connector does not know."""
    assert row(of_answer(None, status)) == row(of_answer("SOMETHING_NEW", status)) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, WORKS_ON) for status in ("New", "Connecting")),
        ("Connected", (Status.READY, Actor.NOBODY, Then.PROCEED, None)),
        ("Error", SESSION_FAILED),
        *((status, NEEDS_PERSON) for status in ("InvalidCredentials", "Captcha", "SecurityQuestion")),
        *((status, NEEDS_PERSON) for status in ("AccountSelection", "MfaMethodChoice", "MfaQuestion")),
        *((status, NEEDS_PERSON) for status in ("MfaQuestionInvalidAnswer", "MfaQuestionNoAnswer")),
        ("Pondering", WORKS_ON),
    ],
)
def test_a_link_status_means(status: str, expected: Row) -> None:
    """An undocumented status is progress: the deadline ends that wait."""
    assert row(of_link_status(status)) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        *((reason, WORKS_ON) for reason in ("New", "Connecting", "CredentialsSent", "ConnectedCredentials")),
        *((reason, WORKS_ON) for reason in ("ConnectedWaitingOnDataExtraction", "WaitingForJob", "ExecutingJob")),
        *((reason, WORKS_ON) for reason in ("CompletedJob", "RetryLater", "Daydreaming", None)),
        ("DataFound", row(MEANINGS["CONNECTED"])),
        *((reason, NOTHING_THERE) for reason in ("NoDataFound", "NoStatement")),
        *((reason, NEEDS_PERSON) for reason in ("InvalidCredentials", "BlockedByPin", "AccountSelectionRequired")),
        *((reason, NEEDS_PERSON) for reason in ("MfaMethodChoiceRequired", "MfaCodeRequired", "MfaCodeInvalid")),
        *((reason, NEEDS_PERSON) for reason in ("MfaCodeTimeout", "MfaActionRequired", "SecurityAnswerRequired")),
        *((reason, NEEDS_PERSON) for reason in ("SecurityAnswerInvalid", "SecurityQuestionTimeout")),
        ("SecurityAnswerTimeout", NEEDS_PERSON),
        ("Error", SESSION_FAILED),
    ],
)
@pytest.mark.parametrize("status", ["New", "Connecting", "Connected", "Disconnected", "Something", None])
def test_a_reason_means(status: str | None, reason: str | None, expected: Row) -> None:
    """The reason decides; an undocumented one is work in progress."""
    assert row(of_context(status, reason)) == expected


def test_the_status_error_counts_where_the_reason_says_nothing() -> None:
    """A connection in Error is no work in progress, unless its reason knows better."""
    assert of_context("Error", None) is of_context("Error", "Daydreaming") is BROKEN
    assert of_context("Error", "DataFound") is MEANINGS["CONNECTED"]
    assert of_context("Error", "ExecutingJob") is WORKING


TABLES = {
    "error_codes": ERROR_CODES,
    "link_statuses": LINK_STATUSES,
    "reasons": REASONS,
    "http_statuses": HTTP_STATUSES,
    "of_document": OF_DOCUMENT,
    "of_file": OF_FILE,
    "own_codes": OWN_CODES,
    "at_deadline": AT_DEADLINE,
}


def test_every_meaning_is_the_meaning_of_something() -> None:
    """A meaning without a code is one that only the connector finds out: HTTP 401 although the keys are good."""
    said = [meaning for table in TABLES.values() for meaning in table.values()]
    assert {name for name, meaning in MEANINGS.items() if meaning not in said} == {"NOT_ALLOWED"}


def test_the_file_has_no_key_that_nobody_reads_and_no_code_twice_in_a_place() -> None:
    """A misspelt key would lose its codes; of a code with two meanings, one would never count."""
    content = tomllib.loads(Path(outcomes.__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    fields = {field.name for field in dataclasses.fields(Meaning)}
    assert {key for row in content.values() for key in row} == fields | set(TABLES)
    for place, table in TABLES.items():
        assert [code for row in content.values() for code in row.get(place, ())] == list(table)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((code, PROVIDER_OUT) for code in ("UNREACHABLE", "TLS_FAILED", "TIMEOUT", "CONNECTION_BROKEN")),
        *((code, (Status.FAILED, Actor.USER, Then.RETRY, CONFIG)) for code in ("NO_TEMPORARY_SPACE", "NO_THREADS")),
        *((code, USER_ERROR) for code in ("SUBMITTED_TWICE", "CONFIGURATION_FULL")),
        *((code, SURPRISE) for code in ("ANSWER_TOO_LARGE", "ENCRYPTED_ANSWER", "UNEXPECTED_ANSWER")),
        *((code, SURPRISE) for code in ("UNREADABLE_DOCUMENT", "UNEXPECTED_ERROR_HERE")),
    ],
)
def test_a_code_of_the_connector_means(code: str, expected: Row) -> None:
    """Where no answer came, a repeat may help; what nobody expected is reported."""
    assert row(OWN_CODES[code]) == expected
    assert own(code, "detail") == outcome(code, OWN_CODES[code], "detail")


@pytest.mark.parametrize("name", sorted(MEANINGS))
def test_a_meaning_is_consistent(name: str) -> None:
    """Who must act, whether it fails the sync and what is done next belong together; the advice is a sentence."""
    meaning = MEANINGS[name]
    assert (meaning.failure is None) == (meaning.actor is Actor.NOBODY)
    assert (meaning.status is Status.NEEDS_USER) <= (meaning.actor is Actor.USER)
    assert (meaning.status is Status.PENDING) <= (meaning.failure is TRANSIENT)
    assert (meaning.then is Then.RETRY) == (name in ("PROVIDER_DOWN", "UTILITY_DOWN", "NO_ROOM", "NO_THREADS"))
    assert (meaning.failure is SYSTEM) == (meaning is UNKNOWN)
    assert meaning.advice[0].isupper()
    assert meaning.advice.endswith(".")


def test_an_endpoint_that_is_gone_names_the_migration_page() -> None:
    """Every message says what the provider wants."""
    assert set(OF_DOCUMENT) == {"HTTP_404", "HTTP_410"}
    for meaning in OF_DOCUMENT.values():
        assert "docs.deck.co/migrations/migrating-from-sustainability" in meaning.advice
        assert row(meaning) == USER_ERROR


def test_an_outcome_carries_the_provider_s_word() -> None:
    """The row of a login says the word, the advice and the identifiers for support."""
    result = outcome("CONNECTION_FAILED", BROKEN, "/sustainability/get, HTTP 400")
    assert (result.status, result.actor, result.failure) == (Status.FAILED, Actor.UTILITY, CONFIG)
    assert (result.reason, result.message) == ("CONNECTION_FAILED", BROKEN.advice)
    assert result.detail == "/sustainability/get, HTTP 400"
    assert of_problem(Problem("CONNECTION_FAILED", BROKEN, detail="/sustainability/get, HTTP 400")) == result


def test_ready_says_nothing() -> None:
    """A login that is ready has no reason, no message and nobody who must act."""
    assert (READY.status, READY.actor, READY.failure) == (Status.READY, Actor.NOBODY, None)
    assert (READY.reason, READY.message, READY.detail) == (None, "", "")
