"""The form: what people see, and that it agrees with what the connector accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
import yaml
from airbyte_cdk import ConnectorSpecification
from airbyte_cdk.test.standard_tests._spec_lint import find_config_secrets, find_secret_marking_errors
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from jsonschema import Draft7Validator

from source_linkless.config.config import label_of, parse_config
from source_linkless.config.logins import FLEET_COLUMNS
from testing.raw_forms import LOGIN, TOKEN, fleet, form

SPEC: dict[str, Any] = yaml.safe_load(resources.files("source_linkless").joinpath("spec.yaml").read_text("utf-8"))
FORM: dict[str, Any] = SPEC["connectionSpecification"]
OPTIONS: list[dict[str, Any]] = FORM["properties"]["connection"]["oneOf"]


def properties() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every property of the form with its path."""
    yield from FORM["properties"].items()
    for option in OPTIONS:
        yield from ((f"connection.{name}", schema) for name, schema in option["properties"].items())


FIELDS = list(properties())


def test_the_form_is_a_specification_of_draft_07() -> None:
    """The platform can load the form, and the form is a valid schema."""
    assert ConnectorSpecification(**SPEC).documentationUrl == "https://docs.airbyte.com/integrations/sources/linkless"
    assert FORM["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(FORM)


def test_the_secrets_are_marked_as_the_platform_wants_it() -> None:
    """The rules of the CDK's own lint hold, and exactly these properties are secret."""
    assert find_secret_marking_errors(FORM) == []
    assert {path for path, schema in properties() if schema.get("airbyte_secret")} == {
        "secret",
        "connection.password",
        "connection.login_fields",
        "connection.access_token",
        "connection.connections",
        "pseudonym_key",
        "links",
    }
    assert {path for path, schema in properties() if schema.get("airbyte_secret") is False} == {"connection.key"}


def test_no_secret_is_checked_by_the_schema() -> None:
    """A failed check of the platform would print the value, so ours alone looks at secrets."""
    checks = {"pattern", "minLength", "maxLength", "enum", "format"}
    assert [path for path, schema in properties() if schema.get("airbyte_secret") and checks & schema.keys()] == []


def test_every_property_is_explained_under_the_title_that_the_messages_use() -> None:
    """A user finds the field of a message in the form."""
    shown = {path: f'"{schema["title"]}" ({path})' for path, schema in properties() if "const" not in schema}
    assert {path: label_of(path.removeprefix("connection.")) for path in shown} == shown
    assert label_of("method") == '"Utility logins" (connection.method)'
    assert [path for path, schema in properties() if "const" not in schema and not schema["description"]] == []


def test_every_field_is_explained_in_at_most_two_sentences() -> None:
    """The rest stands behind a link; the provider is called by its name, which a user knows."""
    explained = {
        path: re.sub(r"<code>.*?</code>|<[^>]+>", "", schema.get("description", "")) for path, schema in FIELDS
    }
    long = {path: text for path, text in explained.items() if len(re.findall(r"[.!?](?=[\s)]|$)", text)) > 2}
    assert long == {}
    assert [path for path, text in explained.items() if "provider" in text] == []


def test_a_credential_says_where_it_is_found() -> None:
    """By a link into Deck's documentation, or by the command that finds it."""
    explained = {path: schema.get("description", "") for path, schema in FIELDS}
    for path in ("environment", "client_id", "secret", "connection.access_token"):
        assert 'href="https://docs.deck.co/docs/' in explained[path]
    assert "docker run --rm" in explained["connection.source_id"]
    assert "--entrypoint linkless airbyte/source-linkless:dev sources" in explained["connection.source_id"]


def test_the_name_in_the_warehouse_is_always_shown() -> None:
    """It cannot be changed later, so nobody may overlook it."""
    assert [option["properties"]["key"]["always_show"] for option in OPTIONS[:2]] == [True, True]


PATTERNS = {
    "connection.source_id": (
        [LOGIN["source_id"], LOGIN["source_id"].upper(), f" {LOGIN['source_id']} "],
        ["", "power", LOGIN["source_id"][:-1], LOGIN["source_id"].replace("-", "")],
    ),
    "api_url": (
        ["https://live.deck.co/api/v1", "https://proxy.example.com:8443/deck/", "http://127.0.0.1:8000/api/v1"],
        [
            "live.deck.co/api/v1",
            "ftp://live.deck.co",
            "https://live.deck.co/api?v=1",
            "https://user@live.deck.co/api/v1",
        ],
    ),
}
"""By property, values that suit the pattern of the form and the connector, and values that suit neither."""


@pytest.mark.parametrize("path", PATTERNS)
def test_the_form_refuses_what_the_connector_would(path: str) -> None:
    """While it is typed: values with a pattern are no secrets."""
    good, bad = PATTERNS[path]
    schema = dict(FIELDS)[path]
    assert not schema.get("airbyte_secret")
    assert schema["pattern_descriptor"]

    def raw(value: str) -> dict[str, Any]:
        return form(api_url=value) if path == "api_url" else form({**LOGIN, "source_id": value})

    for value in good:
        assert re.search(schema["pattern"], value)
        parse_config(raw(value))
    for value in bad:
        assert not re.search(schema["pattern"], value)
        with pytest.raises(AirbyteTracedException):
            parse_config(raw(value))


def test_the_groups_come_in_order() -> None:
    """The form reads from the keys to what hardly anybody changes."""
    assert [group["title"] for group in FORM["groups"]] == [
        "Deck API keys",
        "What to connect",
        "What to sync",
        "Advanced",
    ]
    groups = [schema["group"] for schema in FORM["properties"].values()]
    assert list(dict.fromkeys(groups)) == [group["id"] for group in FORM["groups"]]
    assert [schema["order"] for schema in FORM["properties"].values()] == list(range(len(groups)))


def test_there_are_three_ways_to_give_logins() -> None:
    """Each is told apart by the constant `method`, and all objects are open, as the platform needs it."""
    assert {option["properties"]["method"]["const"]: option["title"] for option in OPTIONS} == {
        "login": "One utility login",
        "access_token": "Existing access token",
        "fleet": "Many (paste a list)",
    }
    assert [schema["additionalProperties"] for schema in (FORM, *OPTIONS)] == [True, True, True, True]
    for option in OPTIONS:
        assert [schema["order"] for schema in option["properties"].values()] == list(range(len(option["properties"])))


def test_the_list_has_the_fields_of_the_other_ways() -> None:
    """An entry of a pasted list has the names of the two other options."""
    assert set(FLEET_COLUMNS) == {name for option in OPTIONS[:2] for name in option["properties"]}


def test_the_defaults_of_the_form_are_those_of_the_connector() -> None:
    """Leaving a field alone means the same in the form and without one."""
    defaults = {name: schema["default"] for name, schema in FORM["properties"].items() if "default" in schema}
    shown = {name: value for name, value in defaults.items() if name not in ("environment", "connection")}
    assert (defaults["environment"], defaults["connection"]) == ("live", "login")
    assert parse_config(form(**shown)) == parse_config(form())
    assert OPTIONS[0]["properties"]["attempt"]["default"] == parse_config(form()).logins[0].attempt


CHOICES = [(path, reason) for path, schema in FORM["properties"].items() for reason in schema.get("enum", ())]


@pytest.mark.parametrize(("path", "reason"), CHOICES)
def test_every_choice_of_the_form_is_accepted(path: str, reason: str) -> None:
    """What the form offers, the connector takes."""
    assert getattr(parse_config(form(**{"pseudonym_key": "k" * 16, path: reason})), path) == reason


LIMITS = [
    (path, schema[limit], beyond)
    for path, schema in properties()
    for limit, beyond in (("minimum", -0.001), ("maximum", 1))
    if limit in schema
]


@pytest.mark.parametrize(("path", "limit", "beyond"), LIMITS)
def test_the_limits_of_the_form_are_those_of_the_connector(path: str, limit: float, beyond: float) -> None:
    """The limit itself is accepted, what lies beyond is refused."""

    def raw(value: float) -> dict[str, Any]:
        name = path.removeprefix("connection.")
        return form(**{name: value}) if name == path else form({**LOGIN, name: value})

    parse_config(raw(limit))
    with pytest.raises(AirbyteTracedException):
        parse_config(raw(limit + beyond))


VALID = [
    form(),
    form({"method": "access_token", "access_token": TOKEN}),
    fleet([{"key": "hq", "access_token": TOKEN}], environment="live", note="kept"),
    form(start_date="2023-01-01", links="{}", refresh_after_days=30, auto_refresh=True),
    form(personal_data="drop", pseudonym_key="k" * 16),
]


@pytest.mark.parametrize("raw", VALID, ids=range(len(VALID)))
def test_a_good_configuration_suits_form_and_connector(raw: dict[str, Any]) -> None:
    """What is written back is checked against the form by the platform, and by us in the next run."""
    assert list(Draft7Validator(FORM).iter_errors(raw)) == []
    parse_config(raw)


def test_the_secrets_of_a_configuration_are_known_to_the_platform() -> None:
    """The platform masks the list as one secret; the connector masks what stands inside."""
    raw = fleet([{"key": "hq", "access_token": TOKEN}], links='{"salt": "s"}', pseudonym_key="k" * 16)
    assert [pointer for pointer, _ in find_config_secrets(FORM, raw)] == [
        "/secret",
        "/connection/connections",
        "/pseudonym_key",
        "/links",
    ]
