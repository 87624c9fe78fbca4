"""The pasted list: what is understood as JSON and as CSV, and the sentence that each mistake gets."""

from __future__ import annotations

import json

import pytest

from source_linkless.config import Login, parse_config
from testing.raw_forms import (
    ENTRY,
    KNOWN,
    LISTED,
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

LIST_AS_LOGINS = (
    Login("hq", UTILITY, username="user_good", password='p,"ä'),
    Login("plant", UTILITY, fields={"pin": "0420"}, attempt=2),
    Login("old", access_token=TOKEN),
)
LIST_AS_JSON = json.dumps(
    [
        {"key": "hq", "source_id": UTILITY, "username": "user_good", "password": 'p,"ä'},
        {
            "key": "plant",
            "method": "login",
            "source_id": UTILITY,
            "login_fields": {"pin": "0420"},
            "attempt": 2,
        },
        {"key": "old", "method": "access_token", "access_token": TOKEN, "password": None},
    ]
)
LIST_AS_CSV = (
    "key, source_id,Username,password,login_fields,access_token,attempt,\r\n"
    f'hq, {UTILITY},user_good,"p,""ä",,,,\r\n'
    "\r\n"
    f'plant,{UTILITY},,,"{{""pin"": ""0420""}}",,2\r\n'
    f"old,,,,,{TOKEN}\r\n"
)


@pytest.mark.parametrize(
    "text",
    [
        LIST_AS_JSON,
        f"\ufeff\n {LIST_AS_JSON} ",
        LIST_AS_CSV,
        f"\ufeff{LIST_AS_CSV}",
        LIST_AS_CSV.replace(",", ";").replace("p;", "p,"),
        LIST_AS_CSV.replace(",", "\t").replace("p\t", "p,"),
    ],
    ids=["json", "json with mark", "csv", "csv with mark", "semicolons", "tabs"],
)
def test_a_list_is_understood_as_json_and_as_csv(text: str) -> None:
    """The same logins come out of every way of writing them down."""
    config = parse_config(fleet(text))
    assert config.method == "fleet"
    assert config.logins == LIST_AS_LOGINS


@pytest.mark.parametrize("cell", ["ab\ncd", "ab\u2028cd"])
def test_a_quoted_cell_may_hold_any_line_end(cell: str) -> None:
    """Only a line end outside quotes ends a row."""
    text = f'key,source_id,username,password\nhq,{UTILITY},user,"{cell}"\n'
    assert only_login(fleet(text)).password == cell


LIST = '"List of logins" (connection.connections)'
TEXT_MISTAKES: list[tuple[str, str]] = [
    (" ", "is missing: paste the list of logins"),
    (MASK, "was masked by the form (only asterisks arrived): enter it again"),
    ('[{"key": "hq",\n "password": oops}]', "is not valid JSON (line 2, column 14)"),
    ('[{"key": "hq", "key": "b"}]', 'gives the property "key" twice in one object'),
    ("[]", "holds no login: paste at least one"),
    ("{}", "must be a JSON array: put the logins between [ and ]"),
    ("key,source_id,username,password\n", "holds no login: paste at least one"),
    (
        f"hq,{UTILITY},user_good,pass_good",
        f"must be a JSON array, or CSV whose first line names the columns (known are {KNOWN})",
    ),
    (
        f"key,hunter2\nhq,{UTILITY}",
        f"must be a JSON array, or CSV whose first line names the columns (known are {KNOWN})",
    ),
    (
        f"key,source_id,username,pasword\nhq,{UTILITY},u,p",
        f"has an unknown column, number 4 of its first line (known are {KNOWN})",
    ),
    (
        f"key,source_id,username,pass-wörd\nhq,{UTILITY},u,p",
        f"has an unknown column, number 4 of its first line (known are {KNOWN})",
    ),
    ("key,password,password\na,b,c", 'has the column "password" twice'),
    (
        f"key,source_id,username,password\nhq,{UTILITY},u,a,b",
        "has too many cells in line 2: put a cell that holds a comma or a quote in quotes",
    ),
    (
        f'key,source_id,username,password\nhq,{UTILITY},u,"a"b\n',
        "is not valid CSV (line 2): close every quote, and double it inside a cell",
    ),
    (
        f'key,source_id,username,password\nhq,{UTILITY},u,"ab\n',
        "is not valid CSV (line 2): close every quote, and double it inside a cell",
    ),
]


@pytest.mark.parametrize(("text", "what"), TEXT_MISTAKES)
def test_a_list_that_cannot_be_read_gets_one_sentence(text: str, what: str) -> None:
    """The sentence says where the text is broken, and never what stands there."""
    assert refusal(fleet(text)) == f"{LIST} {what}."


def test_a_list_that_is_no_text_and_no_array_is_refused() -> None:
    """The form has a text there; a file may have an array."""
    assert refusal(form({"method": "fleet", "connections": ENTRY})) == f"{LIST} must be text, in quotes."


def without(name: str) -> dict[str, str]:
    """Return a list entry without one of its properties."""
    return {other: value for other, value in ENTRY.items() if other != name}


IN_CASE_ONLY = "have keys that differ in case only, which many warehouses merge: rename one"
ENTRY_MISTAKES: list[tuple[object, str]] = [
    ("hq", "entry 2 must be an object of names and values"),
    (
        {**without("password"), "pasword": "p"},
        f'entry 2 ("hq") has an unknown property "pasword" (known are {KNOWN})',
    ),
    (
        {**ENTRY, PLANTED: "p"},
        f'entry 2 ("hq") has an unknown property with an unusual name (known are {KNOWN})',
    ),
    (
        without("key"),
        "key of entry 2 is missing: choose a name for this login that never changes",
    ),
    (
        {"access_token": TOKEN},
        "key of entry 2 is missing: choose a name for this connection that never changes",
    ),
    ({**ENTRY, "key": 5}, "key of entry 2 must be text, in quotes"),
    ({**ENTRY, "key": "a\nb"}, "key of entry 2 must be one line of at most 100 visible characters"),
    (
        {**ENTRY, "key": "pass_good"},
        "key of entry 2 repeats a secret: choose a name that may be seen in every table",
    ),
    (without("source_id"), 'source_id of entry 2 ("hq") is missing: find it with `linkless sources`'),
    (without("password"), f'password of entry 2 ("hq") is missing: {TOGETHER}'),
    (
        {**ENTRY, "password": MASK},
        'password of entry 2 ("hq") was masked by the form (only asterisks arrived): enter it again',
    ),
    (
        {**without("password"), "login_fields": {"pin": "1"}},
        f'login_fields of entry 2 ("hq") stands beside username or password: {TOGETHER}',
    ),
    ({**ENTRY, "method": "fleet"}, 'method of entry 2 ("hq") must be one of login, access_token'),
    (
        {**ENTRY, "access_token": TOKEN},
        'access_token of entry 2 ("hq") stands beside a login: keep the access token or the login, not both',
    ),
    (
        {"key": "hq", "method": "login", "access_token": TOKEN},
        'access_token of entry 2 ("hq") stands beside a login: keep the access token or the login, not both',
    ),
    ({"key": "hq", "method": "access_token"}, 'access_token of entry 2 ("hq") is missing: enter it'),
    (
        {"key": "hq", "access_token": "access-sandbox-1"},
        'access_token of entry 2 ("hq") is of the sandbox environment, but Environment (environment) is live',
    ),
    (
        {**ENTRY, "key": "one"},
        'entry 1 ("one") and entry 2 ("one") have the same key: give each a name of its own',
    ),
    (
        {**ENTRY, "key": "ONE"},
        f'entry 1 ("one") and entry 2 ("ONE") {IN_CASE_ONLY}',
    ),
    (
        {**ENTRY, "username": " FIRST ", "password": "other"},
        'entry 1 ("one") and entry 2 ("hq") are the same login at the same utility: keep one of them',
    ),
]
FIRST = {"key": "one", "source_id": UTILITY, "username": "first", "password": "pass-1"}


@pytest.mark.parametrize(("entry", "sentence"), ENTRY_MISTAKES)
def test_a_mistake_in_an_entry_gets_one_sentence(entry: object, sentence: str) -> None:
    """The sentence names the entry by its position, and by its key where it has a good one."""
    assert refusal(fleet([FIRST, entry])) == f"{LISTED}{sentence}."


def test_the_same_token_twice_is_refused() -> None:
    """One connection under two names would put every bill into the tables twice."""
    entries = [{"key": key, "access_token": TOKEN} for key in ("a", "b")]
    assert refusal(fleet(entries)) == (
        f'{LISTED}entry 1 ("a") and entry 2 ("b") have the same access token: keep one of them.'
    )


def test_the_same_login_fields_twice_are_refused_but_another_utility_is_not() -> None:
    """A login is the same when utility and credentials are."""
    entry = {"source_id": UTILITY, "login_fields": {"pin": "1", "account": "2"}}
    twin = {"key": "b", "source_id": UTILITY, "login_fields": '{"account": "2", "pin": "1"}'}
    assert refusal(fleet([{**entry, "key": "a"}, twin])) == (
        f'{LISTED}entry 1 ("a") and entry 2 ("b") are the same login at the same utility: keep one of them.'
    )
    elsewhere = {**twin, "source_id": UTILITY.replace("0", "1")}
    assert [login.key for login in parse_config(fleet([{**entry, "key": "a"}, elsewhere])).logins] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("text", ["x,5", "x,-1", "x,1.0", "x,99999999999999999999"])
def test_an_attempt_in_a_cell_is_a_small_whole_number(text: str) -> None:
    """Cells are text, so what is no count is refused like text."""
    rows = f"key,attempt,source_id,username,password\n{text},{UTILITY},u,pass-1"
    if text == "x,5":
        assert only_login(fleet(rows)).attempt == 5
    else:
        assert refusal(fleet(rows)) == f'{LISTED}attempt of entry 1 ("x") must be a number, without quotes.'


def test_an_array_is_accepted_like_its_text() -> None:
    """In a file the list may stand as it is, without quotes around it."""
    entries = [FIRST, ENTRY]
    connection = {"method": "fleet", "connections": entries}
    assert parse_config(form(connection)) == parse_config(fleet(json.dumps(entries)))
    assert refusal(form({"method": "fleet", "connections": []})).endswith("holds no login: paste at least one.")
    mistake = {"method": "fleet", "connections": [FIRST, {**ENTRY, "password": MASK}]}
    assert refusal(form(mistake)) == refusal(fleet(mistake["connections"]))
