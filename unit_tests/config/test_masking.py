"""The secrets of a raw configuration are found however broken it is, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.config.masking import Register, secrets_in
from testing.fuzzing import examples
from testing.raw_forms import ENTRY, LOGIN, PLANTED, TOKEN, UTILITY, fleet, form

SECRET = "secret-1"
LINKS = json.dumps(
    {
        "salt": "salt-1234",
        "connections": {
            "hq": {
                "access_token": TOKEN,
                "identity": "0f0f0f",
                "login": "1e1e1e",
                "refused": "InvalidCredentials",
            }
        },
    }
)


def quoted(cell: str) -> str:
    """Return a cell of CSV that may hold anything."""
    return '"' + cell.replace('"', '""') + '"'


FOUND: list[tuple[dict[str, Any], list[str]]] = [
    (form(), ["pass_good"]),
    (form({**LOGIN, "password": " pass_good "}), [" pass_good ", "pass_good"]),
    (form({"method": "access_token", "access_token": TOKEN, "key": "hq"}), [TOKEN]),
    (form({**LOGIN, "login_fields": {"pin": "0420", "deep": [{"x": 1234}]}}), ["pass_good", "0420", "1234"]),
    (form({**LOGIN, "login_fields": '{"pin":"0420"}'}), ['{"pin":"0420"}', "pass_good", "0420"]),
    (form({**LOGIN, "pasword": "misspelt"}), ["pass_good", "misspelt"]),
    (form({"method": "fleet", "connections": [{**ENTRY, "attempt": 3}]}), ["pass_good"]),
    (form(TOKEN), [TOKEN]),
    (form(password="misplaced", access_token=TOKEN), [TOKEN, "pass_good", "misplaced"]),
    (form(links=LINKS), [TOKEN, "pass_good", "salt-1234"]),
    (form(secret="**********", links="{}"), ["pass_good"]),
    (
        form(personal_data="hash", pseudonym_key=" key of 16 letters "),
        ["pass_good", " key of 16 letters ", "key of 16 letters"],
    ),
    (form(pseudonym_key=4711), ["pass_good", "4711"]),
    (form({**LOGIN, "pseudonym_key": "misplaced"}), ["pass_good", "misplaced"]),
]


@pytest.mark.parametrize(("raw", "expected"), FOUND, ids=range(len(FOUND)))
def test_exactly_the_secrets_are_found(raw: dict[str, Any], expected: list[str]) -> None:
    """Keys, names, ids and what the provider said stay legible; a masked secret is none."""
    assert set(secrets_in(raw)) - {SECRET} == set(expected)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{**ENTRY, "password": PLANTED}, {"key": "b", "login_fields": {"key": TOKEN}}]),
        f"key;password;access_token;username\nhq;{quoted(PLANTED)};;user_good\nb;;{TOKEN};\n",
    ],
    ids=["json", "csv"],
)
def test_a_list_is_looked_into(text: str) -> None:
    """Each secret of a pasted list is one of its own, beside the list as a whole."""
    raw = fleet(text)
    expected = {SECRET, text, text.strip(), PLANTED, TOKEN}
    assert set(secrets_in(raw)) - {"pass_good"} == expected - {"pass_good"}


def test_the_longest_secret_comes_first() -> None:
    """Masking a part first would leave the rest of the longer one in clear."""
    lengths = [len(secret) for secret in secrets_in(form({**LOGIN, "login_fields": '{"pin": "pass"}'}))]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("raw", [None, [], "text", 5, {}, {"connection": None}, {"links": 5, "connection": True}])
def test_what_is_no_configuration_has_no_secret(raw: Any) -> None:
    """Nothing that arrives breaks the search."""
    assert secrets_in(raw) == []


def test_depth_does_not_break_the_search() -> None:
    """The nesting is the user's, so the search does not recurse."""
    nested: Any = PLANTED
    for _ in range(50_000):
        nested = [nested]
    assert PLANTED in secrets_in({"secret": nested})


JSON_WITH_SECRETS = json.dumps([{**ENTRY, "password": PLANTED}, {"key": "b", "access_token": TOKEN}])
BROKEN = [
    JSON_WITH_SECRETS + "]",
    JSON_WITH_SECRETS[:-1],
    JSON_WITH_SECRETS.replace("}, {", "} {"),
    JSON_WITH_SECRETS.replace('"key"', "key"),
    JSON_WITH_SECRETS.replace(json.dumps(PLANTED), f'"{json.dumps(PLANTED)[1:-1]}", "password": "twice"'),
    json.dumps([{**ENTRY, "password": PLANTED}], ensure_ascii=False).replace("\\n", "\n") + ":" + TOKEN,
    f"{UTILITY},{quoted(PLANTED)},{TOKEN}\n",
    f"key,password,access_token\nhq,{quoted(PLANTED)},{TOKEN},too many\n",
    f"key;pasword;access_token\nhq;{quoted(PLANTED)};{TOKEN}\n",
    f'key,password,access_token\nhq,{quoted(PLANTED)},{TOKEN}\nb,"open',
    f"key,password,access_token\nhq,{quoted(PLANTED)},{TOKEN}\nb,{'too long for csv' * 10_000}\n",
]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_list_keeps_no_secret_from_the_mask(text: str) -> None:
    """Of a list that cannot be read, everything that could be a secret counts as one."""
    assert {PLANTED, TOKEN} <= set(secrets_in(fleet(text)))


def test_a_secret_whose_quote_is_missing_is_found() -> None:
    """The commonest slip in a list written by hand."""
    assert "pass-1" in secrets_in(fleet('[{"key": "hq", "password": "pass-1, "username": "user_good"}]'))


def test_broken_links_keep_no_token_from_the_mask() -> None:
    """What the connector wrote back may have been cut off by a store of secrets."""
    assert TOKEN in secrets_in(form(links=LINKS[:-9]))


def test_the_words_of_a_sentence_are_not_masked() -> None:
    """The sentence about a broken list must stay legible when all of its secrets are masked."""
    found = secrets_in(fleet('[{"key": "hq", "method": "login", "attempt": 1, "password": "pass-1"'))
    assert not {"key", "method", "login", "attempt", "1", "password"} & set(found)


@examples(200)
@given(
    cut=st.integers(JSON_WITH_SECRETS.index(TOKEN) + len(TOKEN), len(JSON_WITH_SECRETS)),
    noise=st.text(max_size=5),
)
def test_a_list_cut_off_behind_its_secrets_keeps_none_from_the_mask(cut: int, noise: str) -> None:
    """Wherever a list ends and whatever follows, its secrets are found."""
    assert PLANTED in secrets_in(fleet(JSON_WITH_SECRETS[:cut] + noise))


@examples(100)
@given(password=st.text(min_size=1).filter(lambda text: text.strip().strip("*")), listed=st.booleans())
def test_every_password_is_found(password: str, *, listed: bool) -> None:
    """No text is too strange to be a secret."""
    entry = {**ENTRY, "password": password}
    assert password in secrets_in(fleet([entry]) if listed else form(entry))


def hidden(text: str, *secrets: str) -> str:
    """Return a text as it is said when these secrets are known."""
    register = Register()
    for secret in secrets:
        register.add(secret)
    return register.hidden(text)


def test_a_secret_is_masked_in_every_form_that_a_message_may_give_it() -> None:
    """As it is, as JSON writes it, and as Python writes it."""
    secret = "päss\"word'\\of two\nlines"
    for text in (secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret), repr([secret])):
        assert "word" not in hidden(f"said {text} here", secret)
        assert hidden(f"said {text} here", secret).startswith("said ")


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it() -> None:
    """The longer one is masked first, whichever was known first."""
    assert hidden("password-of-somebody", "password", "password-of-somebody") == "****"


SHORT = [
    ("1", "1 of 21 logins after 1.5 s at 10:1", "**** of 21 logins after 1.5 s at 10:1"),
    ("1", "1", "****"),
    ("0420", "pin '0420', account 100420", "pin '****', account 100420"),
    ("power", "hq-power: power, power.", "hq-power: ****, ****."),
    ("config", "config_error in config", "config_error in ****"),
    ('"', 'a "quoted" word and "', 'a "quoted" word and ****'),
    ("a b", "as a b here", "as **** here"),
]


@pytest.mark.parametrize(("secret", "text", "said"), SHORT)
def test_a_short_secret_is_masked_as_a_whole_word_only(secret: str, text: str, said: str) -> None:
    """Inside numbers, names and longer words it cannot be told from the rest of a message."""
    assert hidden(text, secret) == said


@pytest.mark.parametrize("secret", ["", "  ", "****", "**********"])
def test_what_hides_nothing_is_not_registered(secret: str) -> None:
    """An empty secret stands everywhere, and asterisks are masked already."""
    assert hidden("a  text with **** in it", secret) == "a  text with **** in it"
