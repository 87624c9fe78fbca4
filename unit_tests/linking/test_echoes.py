"""What a provider says back of a login's secrets is hidden, and nothing that a bill holds by chance."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from source_linkless.errors import Actor, Status
from source_linkless.linking.events import Event, Finished
from source_linkless.linking.running import Opening, Run, opened
from source_linkless.provider.api import Context
from source_linkless.provider.outcomes import Outcome
from testing.fuzzing import examples
from testing.raw_forms import LOGIN, TOKEN, form
from testing.worlds import World

PASSWORD = 'päss"word\\of the login'
KEY = "5ec2e751-0000-4000-8000-00000000cafe"
LINK_TOKEN = "link-sandbox-00000000-0000-4000-8000-000000000001"


def met(told: list[Event] | None = None, **login: Any) -> Opening:
    """Return a login in a run that was given a link token and an access token; `told` takes the events of the run."""

    async def emit(event: Event, *, urgent: bool = False) -> None:
        if told is not None:
            told.append(event)

    async def begin() -> Opening:
        config, links = opened(form({**LOGIN, **login}, secret=KEY), surroundings)
        return Opening(Run(config, links, surroundings, 1.0, emit), config.logins[0])

    surroundings = World().surroundings()
    opening = asyncio.run(begin())
    for token in (LINK_TOKEN, TOKEN):
        opening.learn(token)
    return opening


def passed_on(document: Any, **login: Any) -> Any:
    """Return a document as the connector goes on with it."""
    return json.loads(bytes(met(**login).echoes().document(json.dumps(document).encode())))


@pytest.mark.parametrize("secret", [KEY, TOKEN, LINK_TOKEN])
def test_keys_and_tokens_are_hidden_wherever_they_stand(secret: str) -> None:
    """They are made by machines and stand in no bill by chance."""
    assert passed_on({"a": [{"note": f"by {secret}, twice: {secret}"}]}) == {"a": [{"note": "by ****, twice: ****"}]}


def test_a_password_is_hidden_where_it_is_a_whole_value() -> None:
    """In whatever way its characters are written; the words of an address stay, whatever the password is."""
    assert passed_on({"sent": ["x", PASSWORD], "n": 1}, password=PASSWORD) == {"sent": ["x", "****"], "n": 1}
    raw = json.dumps({"sent": PASSWORD}, ensure_ascii=False).encode()
    assert b"****" in met(password=PASSWORD).echoes().document(raw)
    address = {"billing_address": "12 Springfield Road"}
    assert passed_on(address, password="Springfield") == address


def spelled(text: str, draw: st.DrawFn) -> str:
    """Return a text as some JSON writer might spell it: each character as it is, or escaped in one of its ways."""
    short = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n", "\t": "\\t"}
    written = []
    for character in text:
        units = character.encode("utf-16-be").hex()
        escaped = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
        ways = [escaped, escaped.replace("\\u", "\n").upper().replace("\n", "\\u")]
        ways += [short[character]] if character in short else []
        ways += [character] if character >= " " and character not in '"\\' else []
        written.append(draw(st.sampled_from(ways)))
    return "".join(written)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str, str]:
    """Return a password, and how a document writes it and the client secret."""
    characters = st.sampled_from("abcéßñ密🔑\"\\/<>&+'\n\t 0") | st.characters(exclude_categories=["Cs"])
    password = draw(st.text(characters, min_size=8, max_size=20).filter(lambda text: text.strip().strip("*")))
    assume(not password.isdecimal() and len(password.strip()) >= 8)
    return password, spelled(password, draw), spelled(KEY, draw)


@examples(150)
@given(spellings())
def test_an_echo_is_found_in_every_spelling(found: tuple[str, str, str]) -> None:
    r""".NET writes `\u00E9`, `\u0022`, `\u002B` and `\u003C`; what is compared are the characters."""
    password, password_written, key_written = found
    raw = f'{{"sent": "{password_written}", "note": "by {key_written}!", "\\u00e9": 1}}'
    passed = json.loads(bytes(met(password=password).echoes().document(raw.encode())))
    assert passed == {"sent": "****", "note": "by ****!", "é": 1}


@pytest.mark.parametrize("password", ["4325586127", "kWh", "short-1"])
def test_what_could_be_data_stays(password: str) -> None:
    """A number or a short word that is a password may be an account number or a unit: it is left as it is."""
    document = {"account_number": password, "unit": password}
    assert passed_on(document, password=password) == document


def test_of_login_fields_only_credentials_are_hidden() -> None:
    """A customer number opens a login and stands on every bill; hidden, it would be another customer."""
    fields = {"customer_number": "C-0012345", "Pwd": "a-long-password"}
    login = {"username": None, "password": None, "key": "hq", "login_fields": fields}
    found = passed_on({"customer_number": "C-0012345", "echo": "a-long-password"}, **login)
    assert found == {"customer_number": "C-0012345", "echo": "****"}


def test_a_document_without_echoes_is_not_copied() -> None:
    """Documents can be large: the search leaves them where they are."""
    body = json.dumps({"accounts": []}).encode()
    assert met().echoes().document(body) is body


def test_words_and_identifiers_are_hidden_and_known_words_are_not() -> None:
    """Whatever the password is, a word of the contract stays legible."""
    echoes = met(password="InvalidCredentials").echoes()
    known = Outcome(Status.FAILED, Actor.USER, None, "InvalidCredentials", "ours", f"x-request-id {TOKEN}")
    assert echoes.hidden(known).reason == "InvalidCredentials"
    assert echoes.hidden(known).detail == "x-request-id ****"
    unknown = Outcome(Status.FAILED, Actor.USER, None, "Tried_hunter22", "ours")
    assert met(password="hunter22").echoes().hidden(unknown).reason == "Tried_****"


def test_the_end_of_a_login_names_no_secret() -> None:
    """Neither the connection nor the utility, as the provider calls them, can carry one into a row."""

    async def work() -> Outcome:
        return Outcome(Status.READY, Actor.NOBODY, None, None, "")

    told: list[Event] = []
    opening = met(told, password=PASSWORD)
    opening.connection_id = TOKEN
    opening.context = Context(TOKEN, None, f"Power {KEY}", PASSWORD, "DataFound", None, (), None)
    asyncio.run(opening.to_its_end(work))
    (end,) = told
    assert isinstance(end, Finished)
    assert (end.connection_id, end.context and end.context.source_name) == ("****", "Power ****")
