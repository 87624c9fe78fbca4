"""The configuration: what is understood, and the one sentence that each mistake gets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.config import Config, Login, notices, parse_config
from testing.fuzzing import examples
from testing.raw_forms import (
    ENTRY,
    LOGIN,
    MASK,
    PLANTED,
    TOGETHER,
    TOKEN,
    UTILITY,
    fleet,
    form,
    only_login,
    refusal,
)


def test_the_smallest_configuration_gets_the_documented_defaults() -> None:
    """Keys and one login suffice; everything else has the default that the form shows."""
    key = hashlib.sha256(f"{UTILITY}\nuser_good".encode()).hexdigest()[:12]
    assert parse_config(form()) == Config(
        environment="live",
        client_id="client-1",
        secret="secret-1",
        method="login",
        logins=(Login(key=key, source_id=UTILITY, username="user_good", password="pass_good"),),
        start_date=None,
        failed_connections="report",
        personal_data="keep",
        pseudonym_key="",
        poll_interval_seconds=5,
        check_timeout_seconds=240,
        data_timeout_seconds=3600,
        max_requests_per_second=5,
        refresh_after_days=None,
        auto_refresh=None,
        parsing_method=None,
        api_url="https://live.deck.co/api/v1",
        links="{}",
    )


def test_every_option_is_taken_over() -> None:
    """What the user sets arrives in the configuration, minutes as seconds."""
    config = parse_config(
        form(
            environment="sandbox",
            start_date="2023-01-01",
            failed_connections="fail",
            personal_data="drop",
            pseudonym_key=" sixteen letters.\n",
            poll_interval_seconds=0.05,
            check_timeout_seconds=480,
            data_timeout_minutes=0.5,
            max_requests_per_second=50,
            refresh_after_days=30.0,
            auto_refresh=False,
            parsing_method="None",
            api_url="http://127.0.0.1:8080/api/v1/",
            links='{"salt": "s"}',
        )
    )
    assert replace(config, logins=()) == Config(
        environment="sandbox",
        client_id="client-1",
        secret="secret-1",
        method="login",
        logins=(),
        start_date="2023-01-01",
        failed_connections="fail",
        personal_data="drop",
        pseudonym_key="sixteen letters.",
        poll_interval_seconds=0.05,
        check_timeout_seconds=480,
        data_timeout_seconds=30,
        max_requests_per_second=50,
        refresh_after_days=30,
        auto_refresh=False,
        parsing_method="None",
        api_url="http://127.0.0.1:8080/api/v1",
        links='{"salt": "s"}',
    )


def test_a_null_or_empty_option_is_absent() -> None:
    """Forms send null or empty text for what was left empty."""
    options = ("start_date", "failed_connections", "auto_refresh", "parsing_method", "refresh_after_days")
    empty = dict.fromkeys((*options, "personal_data", "pseudonym_key", "poll_interval_seconds", "links"), None)
    assert parse_config(form(**empty, api_url="", note=7)) == parse_config(form())


def test_the_sandbox_has_its_own_address() -> None:
    """Without `api_url` the environment decides where the requests go."""
    assert parse_config(form(environment="sandbox")).api_url == "https://sandbox.deck.co/api/v1"


@pytest.mark.parametrize("url", ["http://localhost:1/", "http://[::1]:8080", "https://proxy.example.com/x"])
def test_an_address_is_taken_without_its_last_slash(url: str) -> None:
    """Plain http is fine on the own machine, https everywhere."""
    assert parse_config(form(api_url=url)).api_url == url.rstrip("/")


def test_space_around_keys_and_names_is_dropped_but_never_from_a_password() -> None:
    """A pasted line end belongs to no key and no username, while a password may begin with a space."""
    login = {**LOGIN, "username": " User_Good ", "password": " pass ", "key": " hq "}
    config = parse_config(form(login, client_id=" client-1\n", secret="\tsecret-1 "))
    assert (config.client_id, config.secret) == ("client-1", "secret-1")
    assert config.logins[0] == Login("hq", UTILITY, username="User_Good", password=" pass ")


def test_the_default_key_depends_on_utility_and_username_alone() -> None:
    """Case and space of the username, the case of the source id and the password leave the key as it is."""
    other = {**LOGIN, "source_id": UTILITY.upper(), "username": " USER_good ", "password": "changed"}
    assert only_login(form(other)).key == only_login(form()).key
    assert only_login(form({**LOGIN, "username": "user_other"})).key != only_login(form()).key


@pytest.mark.parametrize("fields", ['{"pin": "0420", "account": ""}', {"pin": "0420", "account": ""}])
def test_login_fields_are_text_or_a_plain_object(fields: object) -> None:
    """The form can only send text; a pasted list may hold an object."""
    login = {"method": "login", "source_id": UTILITY, "login_fields": fields, "key": "hq", "attempt": 2}
    assert only_login(form(login)) == Login("hq", UTILITY, fields={"pin": "0420", "account": ""}, attempt=2)


def test_an_access_token_is_a_login_of_its_own() -> None:
    """A token needs no credentials, and its key is derived from it."""
    key = hashlib.sha256(TOKEN.encode()).hexdigest()[:12]
    raw = form({"method": "access_token", "access_token": f" {TOKEN}\n"})
    assert parse_config(raw).method == "access_token"
    assert only_login(raw) == Login(key=key, access_token=TOKEN)


@pytest.mark.parametrize(
    ("environment", "token"),
    [
        ("live", "access-production-1"),
        ("live", "access-development-1"),
        ("sandbox", "access-sandbox-1"),
        ("sandbox", "another-form-1"),
    ],
)
def test_a_token_of_the_environment_or_of_an_unknown_form_is_accepted(environment: str, token: str) -> None:
    """Both development and production are live; what the provider may invent is its to judge."""
    raw = form({"method": "access_token", "access_token": token}, environment=environment)
    assert only_login(raw).access_token == token


def test_a_configuration_shows_no_credential() -> None:
    """The representation of a configuration, and of its logins, holds neither credentials nor tokens."""
    raw = fleet(
        [
            {**ENTRY, "username": "name-1", "password": PLANTED},
            {"key": "b", "source_id": UTILITY, "login_fields": {"pin": PLANTED}},
            {"key": "c", "access_token": PLANTED},
        ],
        links=PLANTED,
        personal_data="hash",
        pseudonym_key=PLANTED * 2,
    )
    config = parse_config(raw)
    shown = repr(config) + repr(config.logins)
    assert not [secret for secret in (PLANTED, repr(PLANTED)[1:-1], "secret-1", "name-1") if secret in shown]


@pytest.mark.parametrize("key", ["short", MASK, 5, PLANTED])
def test_a_key_without_a_use_is_accepted(key: object) -> None:
    """After a change back to `keep` the key may stay."""
    assert parse_config(form(pseudonym_key=key)) == parse_config(form(personal_data="keep", pseudonym_key=key))
    assert parse_config(form(pseudonym_key=key)).pseudonym_key == ""


def test_a_configuration_cannot_be_changed() -> None:
    """Every part of the connector sees the same configuration."""
    with pytest.raises(FrozenInstanceError):
        parse_config(form()).links = "{}"  # type: ignore[misc]  # that it is refused is the point


METHODS = "login, access_token, fleet"
PSEUDONYM_KEY = '"Pseudonymization key" (pseudonym_key)'
MAKE_ONE_UP = "account numbers are hashed with it; make up a long random one"
FORM_MISTAKES: list[tuple[Any, str]] = [
    ([], "The configuration must be a JSON object."),
    (form(environment=None), '"Environment" (environment) is missing: choose live or sandbox.'),
    (form(environment="prod"), '"Environment" (environment) must be one of live, sandbox.'),
    (form(environment=["live"]), '"Environment" (environment) must be text, in quotes.'),
    (form(client_id=" "), '"Client ID" (client_id) is missing: enter it.'),
    (form(client_id=5), '"Client ID" (client_id) must be text, in quotes.'),
    (
        form(client_id="cliént"),
        '"Client ID" (client_id) holds a character that no key has: copy it again from the dashboard.',
    ),
    (form(secret=None), '"Secret" (secret) is missing: enter it.'),
    (
        form(secret=MASK),
        '"Secret" (secret) was masked by the form (only asterisks arrived): enter it again.',
    ),
    (
        form(secret="two\nlines"),
        '"Secret" (secret) holds a character that no key has: copy it again from the dashboard.',
    ),
    (
        form(secret="\ud83d"),
        '"Secret" (secret) holds half a character, which cannot be sent: enter it again.',
    ),
    (form(None), '"Utility logins" (connection) is missing: choose how you give the logins.'),
    (
        form("login"),
        f'"Utility logins" (connection) must be an object whose "method" is one of {METHODS}.',
    ),
    (
        form({}),
        '"Utility logins" (connection.method) is missing: choose one of login, access_token, fleet.',
    ),
    (
        form({"method": "oauth"}),
        '"Utility logins" (connection.method) must be one of login, access_token, fleet.',
    ),
    (form({"method": 1}), '"Utility logins" (connection.method) must be text, in quotes.'),
    (
        form(start_date="01/02/2023"),
        '"Start date" (start_date) must be a date written as YYYY-MM-DD, for example 2023-01-31.',
    ),
    (
        form(start_date="2023-02-30"),
        '"Start date" (start_date) must be a date written as YYYY-MM-DD, for example 2023-01-31.',
    ),
    (form(start_date=20230101), '"Start date" (start_date) must be text, in quotes.'),
    (form(personal_data="mask"), '"Personal data" (personal_data) must be one of keep, hash, drop.'),
    (form(personal_data=True), '"Personal data" (personal_data) must be text, in quotes.'),
    (form(personal_data="hash"), f"{PSEUDONYM_KEY} is missing: {MAKE_ONE_UP}."),
    (form(personal_data="drop", pseudonym_key=" "), f"{PSEUDONYM_KEY} is missing: {MAKE_ONE_UP}."),
    (form(personal_data="hash", pseudonym_key=5), f"{PSEUDONYM_KEY} must be text, in quotes."),
    (
        form(personal_data="drop", pseudonym_key=MASK * 2),
        f"{PSEUDONYM_KEY} was masked by the form (only asterisks arrived): enter it again.",
    ),
    (
        form(personal_data="hash", pseudonym_key=f"  {'k' * 15}\n"),
        f"{PSEUDONYM_KEY} must have at least 16 characters, so that nobody can guess it.",
    ),
    (form(failed_connections="warn"), '"Failed logins" (failed_connections) must be one of report, fail.'),
    (
        form(poll_interval_seconds="5"),
        '"Polling interval (seconds)" (poll_interval_seconds) must be a number, without quotes.',
    ),
    (
        form(poll_interval_seconds=True),
        '"Polling interval (seconds)" (poll_interval_seconds) must be a number, without quotes.',
    ),
    (
        form(poll_interval_seconds=0.04),
        '"Polling interval (seconds)" (poll_interval_seconds) must be at least 0.05.',
    ),
    (
        form(poll_interval_seconds=float("nan")),
        '"Polling interval (seconds)" (poll_interval_seconds) must be a number of ordinary size.',
    ),
    (
        form(poll_interval_seconds=10**400),
        '"Polling interval (seconds)" (poll_interval_seconds) must be a number of ordinary size.',
    ),
    (
        form(check_timeout_seconds=481),
        '"Connection test timeout (seconds)" (check_timeout_seconds) must be at most 480.',
    ),
    (
        form(check_timeout_seconds=0),
        '"Connection test timeout (seconds)" (check_timeout_seconds) must be at least 0.05.',
    ),
    (
        form(data_timeout_minutes=0),
        '"Sync timeout (minutes)" (data_timeout_minutes) must be at least 0.01.',
    ),
    (
        form(max_requests_per_second=-1),
        '"Requests per second" (max_requests_per_second) must be at least 0.01.',
    ),
    (form(refresh_after_days=0), '"Refresh after (days)" (refresh_after_days) must be at least 1.'),
    (form(refresh_after_days=1.5), '"Refresh after (days)" (refresh_after_days) must be a whole number.'),
    (form(refresh_after_days=1e6), '"Refresh after (days)" (refresh_after_days) must be at most 36500.'),
    (form(auto_refresh="yes"), '"Automatic refresh" (auto_refresh) must be true or false, without quotes.'),
    (form(auto_refresh=1), '"Automatic refresh" (auto_refresh) must be true or false, without quotes.'),
    (
        form(parsing_method="All"),
        '"Parsing method" (parsing_method) must be one of PdfOnly, Basic, FullSustainability, None.',
    ),
    (form(links={}), '"Links" (links) must be text, in quotes.'),
]


@pytest.mark.parametrize(("raw", "sentence"), FORM_MISTAKES)
def test_a_mistake_in_the_form_gets_one_sentence(raw: Any, sentence: str) -> None:
    """The sentence names the field by its title and its path."""
    assert refusal(raw) == sentence


@pytest.mark.parametrize(
    "url",
    [
        "live.deck.co",
        "ftp://live.deck.co",
        "https://",
        "https://user:pw@live.deck.co",
        "https://live.deck.co/?a=1",
        "https://live.deck.co/#a",
        "https://live.deck.co:port",
        "https://[::1",
        "https://a\nb.co",
        "https://a\\b.co",
        "https://ä.co",
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    """An address with a login in it, or one that readers read differently, would send the keys astray."""
    assert refusal(form(api_url=url)) == (
        '"API address" (api_url) must be an address such as https://live.deck.co/api/v1, '
        "without login, query or fragment."
    )


@pytest.mark.parametrize("url", ["http://live.deck.co", "http://localhost.example.com", "http://10.0.0.1"])
def test_plain_http_leaves_the_machine_never(url: str) -> None:
    """Keys and passwords go out encrypted or not at all."""
    assert refusal(form(api_url=url)) == (
        '"API address" (api_url) must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1).'
    )


SOURCE = '"Utility (source ID)" (connection.source_id)'
NAME = '"Name in the warehouse" (connection.key)'
FIELDS = '"Login fields" (connection.login_fields)'
LOGIN_MISTAKES: list[tuple[dict[str, Any], str]] = [
    (
        {"source_id": None},
        f"{SOURCE} is missing: find it with `linkless sources`.",
    ),
    (
        {"source_id": "my utility"},
        f"{SOURCE} must be a UUID (five groups joined by hyphens) as `linkless sources` prints it.",
    ),
    ({"username": None}, f'"Username" (connection.username) is missing: {TOGETHER}.'),
    ({"password": ""}, f'"Password" (connection.password) is missing: {TOGETHER}.'),
    ({"password": 1234}, '"Password" (connection.password) must be text, in quotes.'),
    (
        {"password": MASK},
        '"Password" (connection.password) was masked by the form (only asterisks arrived): enter it again.',
    ),
    ({"key": 7}, '"Name in the warehouse" (connection.key) must be text, in quotes.'),
    (
        {"key": "a\tb"},
        '"Name in the warehouse" (connection.key) must be one line of at most 100 visible characters.',
    ),
    (
        {"key": "a" * 101},
        '"Name in the warehouse" (connection.key) must be one line of at most 100 visible characters.',
    ),
    (
        {"key": "pass_good"},
        f"{NAME} repeats a secret: choose a name that may be seen in every table.",
    ),
    ({"attempt": "2"}, '"Attempt" (connection.attempt) must be a number, without quotes.'),
    ({"attempt": 0}, '"Attempt" (connection.attempt) must be at least 1.'),
    ({"attempt": 2_000_000}, '"Attempt" (connection.attempt) must be at most 1000000.'),
    ({"login_fields": '{"pin": "1"}'}, f"{FIELDS} stands beside username or password: {TOGETHER}."),
]
NO_USER = {"username": None, "password": None, "key": "hq"}
EXAMPLE = '{"pin": "1234"}'
LOGIN_FIELDS_MISTAKES: list[tuple[object, str]] = [
    ('{"pin": "1234}', "is not valid JSON (line 1, column 9)"),
    ('{"pin": "1",\n "pin": "2"}', 'gives the property "pin" twice in one object'),
    ("pin=1234", "is not valid JSON (line 1, column 1)"),
    (f'{{"pin": {"9" * 5000}}}', "is not valid JSON (it holds a number with too many digits)"),
    ("[" * 100_000, "is not valid JSON (it is nested too deeply)"),
    ("{}", f"must be a JSON object with at least one field, such as {EXAMPLE}"),
    ('["1234"]', f"must be a JSON object with at least one field, such as {EXAMPLE}"),
    (1234, f"must be a JSON object with at least one field, such as {EXAMPLE}"),
    ({"": "1234"}, "has a field without a name"),
    ({"pin": 1234}, 'must give the field "pin" as text in quotes (a number loses its leading zeros)'),
    (
        {PLANTED: 1234},
        "must give the field with an unusual name as text in quotes (a number loses its leading zeros)",
    ),
    ({"pin": MASK}, 'has only asterisks in the field "pin": enter its value again'),
    ({"pin": "\ud83d"}, "holds half a character, which cannot be sent: enter it again"),
    (MASK, "was masked by the form (only asterisks arrived): enter it again"),
]


@pytest.mark.parametrize(("changes", "sentence"), LOGIN_MISTAKES)
def test_a_mistake_in_a_login_gets_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    """The sentence names the field below `connection`."""
    assert refusal(form({**LOGIN, **changes})) == sentence


@pytest.mark.parametrize(("fields", "what"), LOGIN_FIELDS_MISTAKES, ids=range(len(LOGIN_FIELDS_MISTAKES)))
def test_a_mistake_in_login_fields_gets_one_sentence(fields: object, what: str) -> None:
    """The sentence says where the JSON is broken, or which field is wrong, but no value."""
    assert refusal(form({**LOGIN, **NO_USER, "login_fields": fields})) == f"{FIELDS} {what}."


def test_login_fields_need_a_key() -> None:
    """Nobody knows which of the fields names the customer, so no key can be derived."""
    login = {**LOGIN, **NO_USER, "key": None, "login_fields": '{"pin": "1234"}'}
    assert refusal(form(login)) == (f"{NAME} is missing: choose a name for this login that never changes.")


TOKEN_MISTAKES: list[tuple[object, str, str]] = [
    (None, "live", "is missing: enter it"),
    (MASK, "live", "was masked by the form (only asterisks arrived): enter it again"),
    (["t"], "live", "must be text, in quotes"),
    (
        "access-sandbox-1",
        "live",
        "is of the sandbox environment, but Environment (environment) is live",
    ),
    (
        "access-development-1",
        "sandbox",
        "is of the development environment, but Environment (environment) is sandbox",
    ),
    (
        "ACCESS-PRODUCTION-1",
        "sandbox",
        "is of the production environment, but Environment (environment) is sandbox",
    ),
]


@pytest.mark.parametrize(("token", "environment", "what"), TOKEN_MISTAKES)
def test_a_mistake_in_a_token_gets_one_sentence(token: object, environment: str, what: str) -> None:
    """A token of the other environment is recognised by its form, before any request."""
    raw = form({"method": "access_token", "access_token": token}, environment=environment)
    assert refusal(raw) == f'"Access token" (connection.access_token) {what}.'


NAMES = st.sampled_from(
    [*form(), *ENTRY, "method", "connections", "access_token", "login_fields", "links", "attempt", "api_url"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(
        ["login", "access_token", "fleet", "live", "sandbox", UTILITY, MASK, PLANTED, "[", "key,password\n"]
    ),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(NAMES | st.text(max_size=5), children, max_size=5)
        | st.lists(st.dictionaries(NAMES, children, max_size=5), max_size=3).map(json.dumps)
    ),
    max_leaves=12,
)


def assert_silent(raw: Any) -> None:
    """Assert that a configuration is understood or refused in a sentence, and nothing planted is said."""
    try:
        said = repr(parse_config(raw))
    except AirbyteTracedException as error:
        said = f"{error.message}{error!r}{error.internal_message}{error.__cause__}{error.__context__!r}"
    parts = [PLANTED, repr(PLANTED)[1:-1], json.dumps(PLANTED)[1:-1], "1\"2'3"]
    assert not [part for part in parts if part in said]


@examples(200)
@given(raw=VALUES | st.builds(form, VALUES) | st.builds(fleet, VALUES) | st.dictionaries(NAMES, VALUES))
def test_no_configuration_breaks_the_reader(raw: Any) -> None:
    """Whatever JSON arrives, it is understood or refused in a sentence that holds no secret."""
    assert_silent(raw)


BROKEN_PLACES = st.sampled_from(
    ["secret", "password", "access_token", "login_fields", "connections", "links", "pasword"]
)


@examples(200)
@given(name=BROKEN_PLACES, listed=st.booleans(), cut=st.integers(0, 200), as_csv=st.booleans())
def test_a_secret_is_never_repeated(name: str, cut: int, *, listed: bool, as_csv: bool) -> None:
    """A secret in any field, of the form or of a list cut off anywhere, stays out of what is said."""
    entry = {**ENTRY, name: PLANTED}
    text = f'key,password,{name}\nhq,"{PLANTED.replace(chr(34), 2 * chr(34))}",x' if as_csv else json.dumps([entry])
    assert_silent(fleet(text[: cut or None]) if listed else form({**LOGIN, **entry}, **{name: PLANTED}))


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://live.deck.co", "has no path: it must end with /api/v1"),
        ("https://sandbox.deck.co/", "has no path: it must end with /api/v1"),
        ("https://live.deck.co//api/v1", "has a slash too many in its path"),
        ("https://proxy.example.com/deck//api/v1/", "has a slash too many in its path"),
    ],
)
def test_a_slip_in_the_address_is_named(url: str, what: str) -> None:
    """The provider would answer each of them with 404, which says nothing."""
    assert refusal(form(api_url=url)) == f'"API address" (api_url) {what}.'


UNKNOWN = "Unknown options in the configuration:"
PASSWORD = ' (did you mean "password"?)'
MISSPELT = form({**LOGIN, "passwrod": "secret-1"}, **{"start-date": "2023-01-01", "note": 7})
NOTICES = [
    (form(), []),
    (form(_platform="x", api_url="https://proxy.example.com/deck"), []),
    (
        MISSPELT,
        [f'{UNKNOWN} "start-date" (did you mean "start_date"?), "note", "passwrod" in connection{PASSWORD}.'],
    ),
    (form(**{"pass\nword of somebody": "x"}), [f"{UNKNOWN} with an unusual name."]),
    (
        form(api_url="https://proxy.example.com/"),
        ['"API address" (api_url) has no path: the provider\'s own address ends with /api/v1.'],
    ),
]


@pytest.mark.parametrize(("raw", "sentences"), NOTICES, ids=range(len(NOTICES)))
def test_a_slip_that_a_valid_configuration_may_hold_is_told(raw: dict[str, Any], sentences: list[str]) -> None:
    """An option that nobody reads is named with the nearest known one, and never with its value."""
    assert notices(raw) == sentences


@pytest.mark.parametrize(
    "raw", [{}, {"connection": None}, {"connection": 5, "api_url": 5}, {"api_url": "https://[::1"}]
)
def test_what_is_no_configuration_has_no_notice(raw: dict[str, Any]) -> None:
    """Its mistake is told by `parse_config`."""
    assert notices(raw) == []
