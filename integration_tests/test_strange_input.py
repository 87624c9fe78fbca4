"""Input that breaks pipelines elsewhere, through the process: what arrives, and what the row of the login says."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import DestinationSyncMode, SyncMode

from linkless_simulator import Simulator
from linkless_simulator.answers import JSON, Answer
from linkless_simulator.faults import Planned
from testing.connector import PROGRAM, Connector, Run, catalog_json, edited, fleet_at, linked_at, login_at
from testing.forked_command import run_without_terminal
from testing.generated_parts import ROOT

BILL: dict[str, Any] = {
    "statement_id": "s1",
    "billing_date": "2026-02-11",
    "total_due_amount": 12.5,
    "charges": [{"charge_name": "Energy", "amount": 12.5}],
}


def deliver(simulator: Simulator, body: bytes) -> None:
    """Let the provider have this answer for the login, once."""
    answer = Answer(200, {"content-type": JSON}, body)
    simulator.backend.plan(Planned("/sustainability/get", answer, username="instant"))


def read(simulator: Simulator, folder: Path, body: bytes, *, after: Run | None = None, **options: Any) -> Run:
    """Read a login for which the provider has this answer, `after` an earlier run with its states."""
    deliver(simulator, body)
    return Connector(folder).read(linked_at(simulator, "instant", **options), state=after.states if after else ())


def document(*bills: dict[str, Any], number: Any = "A-1") -> bytes:
    """Return a document of one account."""
    return json.dumps({"accounts": [{"account_number": number, "statements": list(bills)}]}).encode()


def message_of(run: Run) -> str:
    """Return what the row of the login says; it stands in the log, too, once."""
    (row,) = run.rows("connections")
    message = str(row.get("message", ""))
    assert run.code == 0
    assert not message or sum(message in log for log in run.logs("WARN")) == 1
    return message


@pytest.mark.parametrize(
    ("sent", "column", "expected"),
    [
        ({"billing_date": "2026-02-01T00:00:00Z"}, "billing_date", "2026-02-01"),
        ({"payment_due_date": "2026-02-01T00:00:00+00:00"}, "payment_due_date", "2026-02-01"),
        ({"total_due_amount": "125.30"}, "total_due_amount", 125.3),
        ({"total_due_amount": "$1,234.50"}, "total_due_amount", 1234.5),
        ({"total_due_amount": "1.234,50 EUR"}, "total_due_amount", 1234.5),
        ({"customerNumber": "C-7"}, "customer_number", "C-7"),
        ({"statement_number": 4711}, "statement_number", "4711"),
    ],
)
def test_a_value_that_can_be_read_in_one_way_fills_its_column(
    simulator: Simulator, tmp_path: Path, sent: dict[str, Any], column: str, expected: Any
) -> None:
    """Another notation of a date, an amount or a name is no reason for an empty column."""
    run = read(simulator, tmp_path, document({**BILL, **sent}))
    (row,) = run.rows("statements")
    assert row[column] == expected
    assert "do not fit" not in message_of(run)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"billing_date": "02/03/2026"}, "statements[].billing_date (text, 1 value)"),
        ({"billing_date": "2026-02-01T08:00:00Z"}, "statements[].billing_date (text, 1 value)"),
        ({"total_due_amount": "1,234"}, "statements[].total_due_amount (text, 1 value)"),
        ({"total_due_amount": {"cents": 1250}}, "statements[].total_due_amount (object, 1 value)"),
        ({"total_due_amount": 1e29}, "statements[].total_due_amount (number, 1 value)"),
        ({"balance_forward": -1e30}, "statements[].balance_forward (number, 1 value)"),
        ({"charges": [{"amount": 3e40}]}, "charges[].amount (number, 1 value)"),
        ({"payments": [{"amount": 1e29}]}, "payments[].amount (number, 1 value)"),
        ({"charges": [{"amount": True}]}, "charges[].amount (true or false, 1 value)"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_kept_and_told(
    simulator: Simulator, tmp_path: Path, sent: dict[str, Any], told: str
) -> None:
    """The row says field and type, and other_fields has the value: no destination is given what it cannot hold."""
    run = read(simulator, tmp_path, document({**BILL, **sent}))
    assert told in message_of(run)
    rows = [row for name in ("statements", "charges", "payments") for row in run.rows(name)]
    (other,) = [row["other_fields"] for row in rows if "other_fields" in row]
    ((name, value),) = sent.items()
    assert other == ({name: value} if not isinstance(value, list) else value[0])


@pytest.mark.parametrize(
    "amount", [{"value": 9.75, "currency": "CAD"}, {"amount": "9.75", "currency_code": "CAD"}, "CAD 9.75", "9,75 CAD"]
)
def test_the_amount_of_a_charge_may_be_an_object(simulator: Simulator, tmp_path: Path, amount: Any) -> None:
    """With the one amount and its currency, which goes before that of the bill."""
    bill = {**BILL, "currency_code": "USD", "charges": [{"charge_name": "Energy", "amount": amount}]}
    (row,) = read(simulator, tmp_path, document(bill)).rows("charges")
    assert (row["amount"], row["currency_code"], row["other_fields"]) == (9.75, "CAD", {"amount": amount})


@pytest.mark.parametrize("name", ["accountNumber", "AccountNumber", "acct", "number"])
def test_accounts_do_not_merge_when_their_number_has_another_name(
    simulator: Simulator, tmp_path: Path, name: str
) -> None:
    """Each account keeps its bills, whether its number was understood or not."""
    accounts = [{name: number, "statements": [{**BILL, "statement_id": number}]} for number in ("A-1", "A-2")]
    run = read(simulator, tmp_path, json.dumps({"accounts": accounts}).encode())
    numbers = [row["account_number"] for row in run.rows("accounts")]
    assert len(set(numbers)) == 2
    assert {row["account_number"] for row in run.rows("statements")} == set(numbers)
    assert ("A-1" in numbers) == (name.lower() == "accountnumber")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb"a\u0000b", "a\ufffdb"),
        (rb"half \ud83d", "half \ufffd"),
        (rb"\udc00\ud83d", "\ufffd\ufffd"),
        (b"latin \xe9", "latin \ufffd"),
    ],
)
def test_what_no_destination_can_hold_is_replaced_in_every_column(
    simulator: Simulator, tmp_path: Path, text: bytes, expected: str
) -> None:
    """In names of customers, texts of charges and undocumented fields; the row says that it happened."""
    bill = document(
        {**BILL, "customer_name": "@", "note": {"@": "@"}, "charges": [{"charge_name": "@", "amount": 1.5}]}
    )
    run = read(simulator, tmp_path, bill.replace(b"@", text))
    (statement,), (charge,) = run.rows("statements"), run.rows("charges")
    assert statement["customer_name"] == charge["charge_name"] == expected
    assert statement["other_fields"] == {"note": {expected: expected}}
    assert "replaced by U+FFFD in 1 place" in message_of(run)
    assert "\\u0000" not in run.stdout


@pytest.mark.parametrize("broken", ["NaN", "1e400", '"raw \t tab"', '"raw \n line"'])
def test_what_cannot_be_read_costs_its_bill_and_is_named(simulator: Simulator, tmp_path: Path, broken: str) -> None:
    """The other bills of the login arrive."""
    body = document(BILL, {**BILL, "statement_id": "s2", "usage": "@"}, {**BILL, "statement_id": "s3"})
    run = read(simulator, tmp_path, b"\xef\xbb\xbf" + body.replace(b'"@"', broken.encode()))
    assert [row["statement_id"] for row in run.rows("statements")] == ["s1", "s3"]
    assert "1 bill could not be read and was left out (account A-1, bill s2: is not valid JSON)" in message_of(run)


def test_two_bills_that_cannot_be_read_are_named_in_one_sentence(simulator: Simulator, tmp_path: Path) -> None:
    """The login is told of once, and the bill between them arrives."""
    odd = [{**BILL, "statement_id": name, "usage": "@"} for name in ("s1", "s3")]
    body = document(odd[0], {**BILL, "statement_id": "s2"}, odd[1])
    run = read(simulator, tmp_path, body.replace(b'"@"', b"NaN"))
    assert [row["statement_id"] for row in run.rows("statements")] == ["s2"]
    places = "; ".join(f"account A-1, bill {name}: is not valid JSON" for name in ("s1", "s3"))
    assert f"2 bills could not be read and were left out ({places})." in message_of(run)


def test_a_bill_that_cannot_be_read_any_more_keeps_its_rows(simulator: Simulator, tmp_path: Path) -> None:
    """Nothing of the account is sent under a new snapshot until the bill can be read again."""
    second = {**BILL, "statement_id": "s2", "usage": 1}
    first = read(simulator, tmp_path, document(BILL, second))
    damaged = document(BILL, second).replace(b'"usage": 1', b'"usage": NaN')
    run = read(simulator, tmp_path, damaged, after=first)
    assert [run.rows(stream) for stream in ("statements", "charges", "accounts", "sustainability")] == [[]] * 4
    assert "bill s2" in message_of(run)


def test_a_bill_that_cannot_be_read_fails_a_sync_that_replaces_tables(simulator: Simulator, tmp_path: Path) -> None:
    """The table would lose the rows of the bill; the error names it."""
    body = document(BILL, {**BILL, "statement_id": "s2", "usage": "@"}).replace(b'"@"', b"NaN")
    deliver(simulator, body)
    catalog = catalog_json(mode=SyncMode.full_refresh, destination=DestinationSyncMode.overwrite)
    run = Connector(tmp_path).read(linked_at(simulator, "instant"), catalog=catalog)
    assert run.code == 1
    assert "bill s2: is not valid JSON" in run.errors[0]["message"]


@pytest.mark.parametrize("date", ["0001-01-01", "0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "1900-01-01"])
def test_a_date_that_means_no_date_passes_the_start_date(simulator: Simulator, tmp_path: Path, date: str) -> None:
    """The bill has no date: it is sent, and nobody is warned of a value that says nothing."""
    run = read(simulator, tmp_path, document({**BILL, "billing_date": date}), start_date="2025-01-01")
    (row,) = run.rows("statements")
    assert "billing_date" not in row
    assert row["other_fields"] == {"billing_date": date}
    assert "do not fit" not in message_of(run)


@pytest.mark.parametrize("far", ["9999-12-31", "2203-02-11", "2099-01-01T00:00:00Z", "2126-02-11"])
def test_a_date_far_ahead_does_not_make_every_new_bill_resend_the_account(
    simulator: Simulator, tmp_path: Path, far: str
) -> None:
    """The bill is sent with its date once; a bill that comes later is sent alone."""
    bills = [BILL, {**BILL, "statement_id": "s2", "billing_date": far}]
    first = read(simulator, tmp_path, document(*bills))
    assert {row["billing_date"] for row in first.rows("statements")} == {"2026-02-11", far[:10]}
    assert first.rows("connections")[0]["latest_billing_date"] == "2026-02-11"
    more = document(*bills, {**BILL, "statement_id": "s3", "billing_date": "2026-03-11"})
    second = read(simulator, tmp_path, more, after=first)
    assert [row["statement_id"] for row in second.rows("statements")] == ["s3"]


@pytest.mark.parametrize(
    ("bill", "lines"),
    [
        (
            {"services": [{"service": s, "charges": [{"charge_name": "Use", "amount": 1}]} for s in ("gas", "water")]},
            [{"service": "gas"}, {"service": "water"}],
        ),
        (
            {"meters": [{"meter": {"id": m, "charges": [{"charge_name": "Use", "amount": 1}]}} for m in (1, 2)]},
            [{"id": 1}, {"id": 2}],
        ),
        ({"gas": {"charges": [{"amount": 1}]}, "water": {"charges": [{"amount": 1}]}}, [{"gas": {}}, {"water": {}}]),
        (
            {"sites": [{"site": "N", "meters": [{"meter": m, "charges": [{"amount": 1}]} for m in "ab"]}]},
            [{"site": "N", "meter": "a"}, {"site": "N", "meter": "b"}],
        ),
    ],
)
def test_lines_are_found_at_any_depth_with_what_encloses_them(
    simulator: Simulator, tmp_path: Path, bill: dict[str, Any], lines: list[dict[str, Any]]
) -> None:
    """Equal lines of two meters are two rows, told apart by part_of; with personal_data hash that is not sent."""
    body = document({"statement_id": "s1", **bill})
    rows = read(simulator, tmp_path, body).rows("charges")
    assert [row["part_of"] for row in rows] == lines
    assert len({row["charge_key"] for row in rows}) == 2
    assert not any("~" in row["charge_key"] for row in rows)
    hashed = read(simulator, tmp_path, body, personal_data="hash", pseudonym_key="k" * 32)
    assert [row.get("part_of") for row in hashed.rows("charges")] == [None, None]


@pytest.mark.parametrize(
    ("bills", "field"),
    [
        ([{"total_due_amount": 5, "lines": [{"amount": 5}]}], "statements[].lines"),
        ([{"total_due_amount": 5, "parts": [{"items": [{"net_amount": "5.00"}]}]}], "statements[].parts[].items"),
        ([BILL, {"statement_id": "s2", "total_due_amount": 5}], "statements[].charges"),
        ([BILL, {"statement_id": "s2", "total_due_amount": 5, "charges": []}], "statements[].charges"),
    ],
)
def test_a_bill_with_amounts_and_no_line_is_told(
    simulator: Simulator, tmp_path: Path, bills: list[dict[str, Any]], field: str
) -> None:
    """The row names the field where lines may be."""
    run = read(simulator, tmp_path, document(*bills))
    told = "1 bill with amounts had no line that is known, so 'charges' has no row of them: look into "
    assert f"{told}{field}." in message_of(run)


@pytest.mark.parametrize(
    "body",
    [
        b'{"message": "Service temporarily unavailable"}',
        b'{"errors": [{"title": "down"}]}',
        b'{"status": "ok", "data": null}',
        b'{"data": {"a": 1}}',
    ],
)
def test_an_answer_without_accounts_is_no_document(simulator: Simulator, tmp_path: Path, body: bytes) -> None:
    """No row without a number comes of it; the login is not ready."""
    run = read(simulator, tmp_path, body)
    (row,) = run.rows("connections")
    assert row["status"] != "ready"
    assert [run.rows(name) for name in ("sustainability", "accounts", "statements")] == [[], [], []]


PACKED = gzip.compress(document(BILL)[:30]), gzip.compress(document(BILL)[30:])


@pytest.mark.parametrize(
    "body",
    [
        b"".join(PACKED),
        b"".join([*PACKED, gzip.compress(b" "), gzip.compress(b"\n")]),
        b"".join([gzip.compress(b""), *PACKED]),
        b"".join([*PACKED, b"\0" * 512]),
    ],
    ids=["two", "four", "the first is empty", "zero bytes at the end"],
)
def test_gzip_of_several_members_is_read_whole(simulator: Simulator, tmp_path: Path, body: bytes) -> None:
    """RFC 1952 allows any number of members, one after the other."""
    answer = Answer(200, {"content-type": JSON, "content-encoding": "gzip"}, body)
    simulator.backend.plan(Planned("/sustainability/get", answer, username="instant"))
    run = Connector(tmp_path).read(linked_at(simulator, "instant"))
    assert [row["statement_id"] for row in run.rows("statements")] == ["s1"]
    assert message_of(run) == ""


@pytest.fixture(scope="module")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make a locale whose encoding is ISO-8859-1, and return the environment variables that choose it."""
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.iso88591")]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("localedef cannot make a locale here")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.iso88591"}


def in_locale(folder: Path, locale: dict[str, str], *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end in a folder and a locale, without Python's own ways around the encoding of that."""
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **locale}
    program = str(PROGRAM.with_name(command[0]))
    return subprocess.run([program, *command[1:]], cwd=folder, env=environment, capture_output=True, check=False)


def run_in_locale(folder: Path, locale: dict[str, str], *arguments: str) -> Run:
    """Run the connector; see `in_locale`."""
    process = in_locale(folder, locale, "source-linkless", *arguments)
    assert process.stderr == b""
    return Run(process.returncode, process.stdout.decode(), "")


def written_as(encoding: str, value: object, path: Path) -> None:
    """Write a value as JSON without escapes."""
    path.write_text(json.dumps(value, ensure_ascii=False), encoding)


ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
READ = ("read", "--config", "config", "--catalog", "catalog")


# The next test has the other two pairs of a locale and an encoding.
@pytest.mark.parametrize(("is_latin_1", "encoding"), [(True, "utf-8"), (False, "utf-8-sig")])
def test_files_are_read_as_utf_8_in_every_locale(
    simulator: Simulator, tmp_path: Path, latin_1: dict[str, str], encoding: str, *, is_latin_1: bool
) -> None:
    """With or without a byte order mark: a refused password is written back as it was, and not submitted again."""
    username = f"user_good+{encoding}-{is_latin_1}"
    config = edited(login_at(simulator, username), password="Pässwörd ß €")
    written_as(encoding, catalog_json(["connections"]), tmp_path / "catalog")
    said = ""
    for command in (("check", "--config", "config"), READ, READ):
        written_as(encoding, config, tmp_path / "config")
        run = run_in_locale(tmp_path, latin_1 if is_latin_1 else ASCII, *command)
        said = run.stdout
        config = (run.written or [config])[-1]
        assert config["connection"]["password"] == "Pässwörd ß €"
    assert "INVALID_CREDENTIALS" in said
    assert simulator.backend.count("/link/connect", username) == 1


@pytest.mark.parametrize(("encoding", "is_command_first"), [("utf-8", True), ("utf-8-sig", False)])
def test_both_programs_agree_on_what_a_login_is(
    simulator: Simulator, tmp_path: Path, latin_1: dict[str, str], encoding: str, *, is_command_first: bool
) -> None:
    """In an ISO-8859-1 or ASCII locale: what one links, the other one finds linked, under the same key."""
    locale = ASCII if is_command_first else latin_1
    usernames = [f"instant+Ünal{encoding}{is_command_first}", f"instant+€{encoding}{is_command_first}"]
    entries = [{"username": usernames[0]}, {"key": "Büro", "username": usernames[1]}]
    config = fleet_at(simulator, *entries)
    written_as(encoding, config, tmp_path / "config")
    written_as(encoding, catalog_json(["connections"]), tmp_path / "catalog")
    if is_command_first:
        assert in_locale(tmp_path, locale, "linkless", "link", "--config", "config").returncode == 0
    else:
        written_as(encoding, run_in_locale(tmp_path, locale, *READ).written[-1], tmp_path / "config")
    rows = run_in_locale(tmp_path, locale, *READ).rows("connections")
    told = in_locale(tmp_path, locale, "linkless", "status", "--config", "config", "--json")
    assert {row["connection_key"]: row["status"] for row in rows} == dict.fromkeys([usernames[0], "Büro"], "ready")
    assert {one["key"] for one in json.loads(told.stdout)} == {row["connection_key"] for row in rows}
    again = in_locale(tmp_path, locale, "linkless", "link", "--config", "config")
    assert (told.returncode, again.returncode) == (0, 0)
    assert [simulator.backend.count("/link/connect", name) for name in usernames] == [1, 1]


@pytest.mark.parametrize(
    "keys", [("HQ", "hq"), ("Büro", "BÜRO"), ("straße", "STRASSE"), ("a", "b", "A")], ids=lambda keys: keys[0]
)
def test_both_programs_refuse_keys_that_differ_in_case_only(
    simulator: Simulator, tmp_path: Path, keys: tuple[str, ...]
) -> None:
    """Both say the same sentence, which names the entries, and nothing is submitted."""
    entries = [{"key": key, "username": f"instant+{key}"} for key in keys]
    config = fleet_at(simulator, *entries)
    written_as("utf-8", config, tmp_path / "config")
    status, message = Connector(tmp_path).check(config).verdict
    code, _, said = run_without_terminal(["link", "--config", "config"], tmp_path, "")
    assert (status, code) == ("FAILED", 2)
    assert "have keys that differ in case only, which many warehouses merge: rename one" in message
    assert message in " ".join(said.split())
    assert not any(simulator.backend.count("/link/connect", entry["username"]) for entry in entries)


ENCODINGS: list[dict[str, str]] = [
    {"LC_ALL": "C"},
    {"PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "utf-16"},
    {"PYTHONIOENCODING": "cp037"},
]
AT_ONCE: dict[tuple[str, ...], str] = {("spec",): "spec", ("discover", "--config", "config"): "catalog"}
THROUGH_THE_CDK: dict[tuple[str, ...], str] = {("spec", "--debug"): "spec", ("discover", "--config=config"): "catalog"}


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.get("PYTHONIOENCODING", "C"))
def test_the_form_and_the_catalog_are_utf_8_whatever_the_encoding_of_the_output(
    tmp_path: Path, latin_1: dict[str, str], encoding: dict[str, str]
) -> None:
    """Answered at once or through the CDK: the same bytes, and no traceback. EBCDIC would change every one of them."""
    written_as("utf-8", {"ß": 1}, tmp_path / "config")
    commands = AT_ONCE | THROUGH_THE_CDK if encoding.get("PYTHONIOENCODING") == "utf-16" else AT_ONCE
    for command, name in commands.items():
        run = in_locale(tmp_path, latin_1 | encoding, "source-linkless", *command)
        assert (run.returncode, run.stderr) == (0, b"")
        assert run.stdout.splitlines()[-1] == (ROOT / f"source_linkless/messages/{name}.json").read_bytes().rstrip()
