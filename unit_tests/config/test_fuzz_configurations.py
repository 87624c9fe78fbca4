"""Invented configurations through the connector's own door: one sentence for each, no secret in it, and no request."""

from __future__ import annotations

import copy
import csv
import io
import json
import logging
from collections.abc import Callable
from typing import Any

from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st

from linkless_simulator.backend import CLIENT_ID
from linkless_simulator.sources import ORDINARY
from source_linkless.config import parse_config
from testing.fuzzing import examples, result_or_refusal, sentence_of
from testing.raw_forms import fleet
from testing.strange_json import anything, damaged, damaged_text, texts
from testing.worlds import World, catalog_of

# Recognisable in any notation: masking is another matter (test_masking), so that nothing may even need it.
PLANTED = tuple(f"planted-{what}-5e7d" for what in ("secret", "password", "pin", "token", "salt"))
SECRET, PASSWORD, PIN, TOKEN, SALT = PLANTED
LINK = {"access_token": TOKEN, "identity": "0f0f0f", "login": "1e1e1e", "submitted": ["2026-11-22T12:00:00.000000Z"]}
LINKS = {"salt": SALT, "connections": {"site": LINK}}
ENTRIES: list[dict[str, Any]] = [
    {"key": "hq", "source_id": ORDINARY.source_id, "username": "instant", "password": PASSWORD},
    {"key": "gas", "source_id": ORDINARY.source_id, "login_fields": json.dumps({"pin": PIN}), "attempt": 2},
    {"key": "old", "access_token": TOKEN},
]
OPTIONS = {
    "start_date": "2026-01-01",
    "failed_connections": "fail",
    "poll_interval_seconds": 1,
    "check_timeout_seconds": 9.5,
    "data_timeout_minutes": 1,
    "max_requests_per_second": 50,
    "refresh_after_days": 30,
    "auto_refresh": True,
    "parsing_method": "Basic",
    "api_url": "https://example.com/api",
    "links": json.dumps(LINKS),
}


def as_csv(entries: list[dict[str, Any]], delimiter: str = ",", quoting: Any = csv.QUOTE_MINIMAL) -> str:
    """Write a list of logins as a spreadsheet would."""
    columns = list(dict.fromkeys(name for entry in entries for name in entry))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=delimiter, quoting=quoting)
    writer.writeheader()
    writer.writerows(entries)
    return text.getvalue()


def _form(connection: dict[str, Any], **options: Any) -> dict[str, Any]:
    keys = {"environment": "sandbox", "client_id": CLIENT_ID, "secret": SECRET}
    return {**keys, "connection": connection, **options}


# A field of one line turns the end of the header into a space, or a tool into a comma.
JOINED = tuple(as_csv([entry]).replace("\r\n", end) for entry in (ENTRIES[0], ENTRIES[2]) for end in " ,")
REORDERED = [{name: entry.get(name) for name in ("password", *ENTRIES[0])} for entry in ENTRIES[:1]]
_listed = (json.dumps(ENTRIES), json.dumps(ENTRIES, indent=1), as_csv(ENTRIES), as_csv(ENTRIES[::-1], ";"))
CONNECTIONS: tuple[dict[str, Any], ...] = (
    {"method": "login", **ENTRIES[0], "key": "site"},
    {"method": "login", **ENTRIES[1]},
    {"method": "access_token", "access_token": TOKEN},
    *({"method": "fleet", "connections": text} for text in _listed),
)
valid = st.builds(_form, st.sampled_from(CONNECTIONS)) | st.builds(
    lambda connection, names: _form(connection, **{name: OPTIONS[name] for name in names}),
    st.sampled_from(CONNECTIONS),
    st.sets(st.sampled_from(sorted(OPTIONS))),
)


@st.composite
def misplaced(draw: st.DrawFn) -> Any:
    """Return configurations in which a secret stands where something else belongs."""
    raw = copy.deepcopy(draw(valid))
    places: list[tuple[Any, Any]] = [(raw, name) for name in raw]
    places += [(raw["connection"], name) for name in raw["connection"]]
    owner, name = draw(st.sampled_from(places))
    owner[name] = draw(st.sampled_from(PLANTED))
    return raw


@st.composite
def badly_pasted(draw: st.DrawFn) -> Any:
    """Return configurations whose pasted list or login fields are a text with a few characters wrong."""
    raw = copy.deepcopy(draw(valid))
    name = next((name for name in ("connections", "login_fields") if name in raw["connection"]), None)
    if name:
        raw["connection"][name] = draw(damaged_text(st.just(raw["connection"][name])))
    return raw


joined = st.sampled_from((*JOINED, *(as_csv(REORDERED).replace("\r\n", end) for end in " ,"))).map(fleet)
wrong = joined | damaged(valid) | damaged(valid) | misplaced() | badly_pasted() | badly_pasted() | anything


class Listener(logging.Handler):
    """Everything that is logged, before any filter masks it."""

    def __init__(self) -> None:
        """Listen to the logger that the platform reads."""
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.lines.append(record.getMessage())

    def __enter__(self) -> list[str]:
        """Begin."""
        logging.getLogger("airbyte").addHandler(self)
        return self.lines

    def __exit__(self, *_: object) -> None:
        """End."""
        logging.getLogger("airbyte").removeHandler(self)


def said(error: AirbyteTracedException) -> str:
    """Return everything that an error could show: its trace too."""
    return json.dumps([error.message, str(error.as_airbyte_message()), repr(error)])


NOTICES = ("Unknown options in the configuration: ", '"API address" (api_url) has no path')
"""How the lines begin that may come before a refusal."""
COMMANDS: dict[str, Callable[[World, Any], object]] = {
    "parse": lambda _world, raw: parse_config(raw),
    "check": lambda world, raw: world.source().check(logging.getLogger("airbyte"), raw),
    "read": lambda world, raw: world.source().read(logging.getLogger("airbyte"), raw, catalog_of()),
}


@examples(200)
@given(wrong)
def test_a_wrong_configuration_gets_one_sentence_without_a_secret_and_no_request(raw: Any) -> None:
    """`check` and `read` say the same as the entry point; neither asks the provider anything."""
    before = copy.deepcopy(raw)
    if result_or_refusal(lambda: parse_config(raw))[1] is None:
        return
    sentences = {refused_by(command, raw) for command in COMMANDS.values()}
    assert len(sentences) == 1
    assert all("\n" not in sentence and sentence.endswith(".") for sentence in sentences)
    assert raw == before


def refused_by(command: Callable[[World, Any], object], raw: Any) -> str:
    """Return the sentence with which a command refuses a configuration, without a secret or a request."""
    world = World()
    with Listener() as lines:
        _, refusal = result_or_refusal(lambda: command(world, raw))
    assert refusal is not None
    assert [secret for secret in PLANTED if secret in said(refusal)] == []
    assert [line for line in lines if not line.startswith(NOTICES) or any(secret in line for secret in PLANTED)] == []
    assert world.backend.journal == []
    return sentence_of(refusal)


@examples(100)
@given(wrong | valid)
def test_a_configuration_is_read_the_same_every_time(raw: Any) -> None:
    """Reading changes nothing: not the configuration, and not what the next reader finds, after a file either."""
    before = copy.deepcopy(raw)
    config, _ = result_or_refusal(lambda: parse_config(raw))
    if config is not None:
        assert config == parse_config(json.loads(json.dumps(raw)))
    assert raw == before


@examples(60)
@given(valid)
def test_a_valid_configuration_is_not_refused(raw: dict[str, Any]) -> None:
    """The configurations that other tests damage are valid, and their `repr` shows no secret."""
    config = parse_config(raw)
    assert [secret for secret in PLANTED if secret in repr(config)] == []


_cells = texts.filter(lambda text: text.strip().strip("*") and len(text) < 100 and text == text.strip())
_listed_logins: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {"source_id": st.just(ORDINARY.source_id), "username": _cells, "password": _cells},
        optional={"attempt": st.integers(1, 9)},
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda login: str(login["username"]).lower(),
)


@examples(100)
@given(_listed_logins, st.sampled_from(",;\t"), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_a_list_says_the_same_as_csv_and_as_json(logins: list[dict[str, Any]], delimiter: str, quoting: int) -> None:
    """Whatever user names and passwords hold: quotes, line ends, delimiters, characters of every script."""
    named = [{"key": f"login {number}", **login} for number, login in enumerate(logins)]
    pasted = parse_config(fleet(as_csv(named, delimiter, quoting)))
    assert pasted.logins == parse_config(fleet(named)).logins
