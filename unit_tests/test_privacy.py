"""Whole syncs with `personal_data`: nothing personal leaves, and everything else works as without it."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import orjson
import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteStateMessage, AirbyteStateMessageSerializer, DestinationSyncMode, SyncMode, Type

from linkless_simulator.answers import JSON, Answer
from linkless_simulator.faults import Planned
from source_linkless.bills.personal import Personal
from testing.generated_parts import prove, read, table
from testing.record_rules import broken_rules
from testing.worlds import ALL_STREAMS, Sync, World, catalog_of

KEY = "the key of the pseudonyms"
LOGIN = "ada.login@example.com"
FIRST, SECOND, PRINTED = "4711000011112222", "4711000033334444", "4711000055556666"
NAME, CUSTOMER, STREET = "Ada Planted", "C-471100007777", "77 Planted Street"
PLANTED = (LOGIN, FIRST, SECOND, PRINTED, NAME, CUSTOMER, STREET, KEY)
"""What must not leave; the numbers are not part of anything else."""
PRIVATE = ("hash", "drop")
DOCUMENT_STREAMS = [name for name in ALL_STREAMS if name != "connections"]
SENDING = [name for name in DOCUMENT_STREAMS if name != "sustainability"]


def bill(date: str, number: str = FIRST, **fields: Any) -> dict[str, Any]:
    """Return a bill with personal data in every place that could hold some."""
    return {
        "account_number": number,
        "customer_name": NAME,
        "customer_number": CUSTOMER,
        "billing_address": f"{NAME}\n{STREET}",
        "billing_date": date,
        "total_due_amount": 12.5,
        "currency_code": "USD",
        "next_billing_date": NAME,
        "service_address": STREET,
        "meters": [{"of": FIRST}],
        "corrections": [{"to": NAME}],
        "charges": [{"charge_name": "Energy", "amount": 12.5}, {"charge_name": "Tax", "amount": 1, "payer": NAME}],
        "payments": [{"date": date, "details": "card", "amount": 5, "account": PRINTED}],
        **fields,
    }


def document(*bills: dict[str, Any], second: bool = True) -> dict[str, Any]:
    """Return a document of one account or two; the second has no number but that of its bills."""
    others = [{"owner": NAME, "statements": [bill("2026-10-01", SECOND)]}] if second else []
    first = {"account_number": FIRST, "site": STREET, "statements": list(bills)}
    return {"source_name": "Example Power", "username": LOGIN, "customer": NAME, "accounts": [first, *others]}


OLD, NEW, NEWER = bill("2026-09-01"), bill("2026-10-01"), bill("2026-11-01")


class Home:
    """A login with whatever document, and all that left the connector since the start."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        """Link nothing yet: the first sync does."""
        self.world = World()
        self._config = self.world.config(username=LOGIN)
        self.world.backend.tell(LOGIN, "instant")
        self.promise()
        self._caplog = caplog
        caplog.set_level(logging.DEBUG)
        self.syncs: list[Sync] = []

    def sync(self, delivered: Any, after: Sync | None = None, catalog: Any = None, **options: Any) -> Sync:
        """Read a document, going on from another sync; `options` are those of the form."""
        self._answer(delivered)
        sync = self.world.read({**self._config, **options}, state=saved(after), catalog=catalog)
        self._config = {**(sync.config or self._config)}
        for name in options:
            self._config.pop(name, None)
        assert broken_rules(sync.messages) == []
        self.syncs.append(sync)
        return sync

    def promise(self, *numbers: str) -> None:
        """Let the provider say which accounts there are."""
        self.world.backend.deliver(LOGIN, {"accounts": [{"account_number": number} for number in numbers]})

    def _answer(self, document: Any) -> None:
        """Let the provider answer with any JSON at all, or with what is an answer already."""
        usual = not isinstance(document, Answer)
        answer = Answer(200, {"content-type": JSON}, orjson.dumps(document)) if usual else document
        self.world.backend.plan(Planned("/sustainability/get", answer, username=LOGIN))

    def said(self) -> str:
        """Return everything that left, but the configuration that is written back."""
        lines = [
            AirbyteEntrypoint.airbyte_message_to_string(message)
            for sync in self.syncs
            for message in sync.messages
            if message.type is not Type.CONTROL
        ]
        return "\n".join([*lines, *map(str, (sync.error for sync in self.syncs)), self._caplog.text])


@pytest.fixture
def home(caplog: pytest.LogCaptureFixture) -> Home:
    """Return a login in a world of its own."""
    return Home(caplog)


def saved(sync: Sync | None) -> list[AirbyteStateMessage]:
    """Return the states of a sync as they come back from a file."""
    dumped = orjson.dumps([AirbyteStateMessageSerializer.dump(state) for state in (sync.states if sync else ())])
    return [AirbyteStateMessageSerializer.load(state) for state in orjson.loads(dumped)]


def states(sync: Sync) -> dict[str, Any]:
    """Return the state of every stream as JSON."""
    written = [AirbyteStateMessageSerializer.dump(state)["stream"] for state in sync.states]
    return {one["stream_descriptor"]["name"]: one["stream_state"] for one in written}


def hidden(mode: str, key: str = KEY) -> dict[str, Any]:
    """Return the options of a mode."""
    return {"personal_data": mode, "pseudonym_key": key}


def numbers(sync: Sync, stream: str) -> set[str]:
    """Return the account numbers in the records of a stream."""
    return {row["account_number"] for row in sync.rows(stream)}


def counts(sync: Sync) -> dict[str, int]:
    """Return how many records each stream sent."""
    return {stream: len(sync.rows(stream)) for stream in SENDING}


def pseudonyms(*clear: str, key: str = KEY) -> set[str]:
    """Return the pseudonyms of account numbers."""
    return set(map(Personal("hash", key).account_number, clear))


@pytest.mark.parametrize("mode", PRIVATE)
def test_nothing_personal_leaves(home: Home, mode: str) -> None:
    """Not in a record, a state, a log line at any level or an error, sync after sync, whatever happens to the data."""
    last = home.sync(document(OLD, NEW), **hidden(mode))
    for delivered in (document(OLD, NEW, NEWER), document(bill("2026-09-01", total_due_amount=13), NEW)):
        last = home.sync(delivered, last, **hidden(mode))
    last = home.sync({**document(), "accounts": {FIRST: NAME}}, last, **hidden(mode))
    last = home.sync({**document(second=False), "accounts": [{NAME: FIRST, FIRST: [NAME]}]}, last, **hidden(mode))
    home.sync({NAME: FIRST, "Planted_" + FIRST: [NAME]}, last, **hidden(mode))
    said = home.said()
    assert [planted for planted in PLANTED if planted in said or json.dumps(planted)[1:-1] in said] == []
    assert "Example Power" in said
    assert "the connector does not know" in said


@pytest.mark.parametrize("mode", PRIVATE)
def test_the_tables_join_by_pseudonyms(home: Home, mode: str) -> None:
    """Every stream has the same number for the same account, and so has another source with the same key."""
    sync = home.sync(document(OLD, NEW), **hidden(mode))
    assert counts(sync) == {"accounts": 2, "statements": 3, "charges": 6, "payments": 3}
    assert [numbers(sync, stream) for stream in SENDING] == [pseudonyms(FIRST, SECOND)] * 4
    keys = {(row["account_number"], row["statement_key"]) for row in sync.rows("statements")}
    for stream in ("charges", "payments"):
        assert {(row["account_number"], row["statement_key"]) for row in sync.rows(stream)} == keys


def test_hash_keeps_who_is_the_same_customer(home: Home) -> None:
    """Each personal column holds one pseudonym for one value."""
    rows = home.sync(document(OLD, NEW), **hidden("hash")).rows("statements")
    columns = ("customer_name", "customer_number", "billing_address")
    assert [len({row[column] for row in rows}) for column in columns] == [1, 1, 1]
    assert len({rows[0][column] for column in columns}) == 3


def test_drop_sends_no_customer(home: Home) -> None:
    """The columns are absent, and all others are as they were."""
    dropped = home.sync(document(OLD), **hidden("drop")).rows("statements")[0]
    assert dropped.keys() & {"customer_name", "customer_number", "billing_address"} == set()
    assert (dropped["total_due_amount"], dropped["billing_date"], dropped["currency_code"]) == (
        12.5,
        "2026-09-01",
        "USD",
    )


@pytest.mark.parametrize("mode", PRIVATE)
def test_free_form_is_not_sent(home: Home, mode: str) -> None:
    """No row has `other_fields` or `corrections`."""
    sync = home.sync(document(OLD), **hidden(mode))
    rows = [row for stream in SENDING for row in sync.rows(stream)]
    assert [row.keys() & {"other_fields", "corrections"} for row in rows] == [set()] * len(rows)


def test_keep_is_as_without_the_option(home: Home) -> None:
    """Records and states are, byte for byte, those of a connector that knows no such option."""
    plain = home.sync(document(OLD))
    kept = home.sync(document(OLD), None, personal_data="keep", pseudonym_key=KEY)
    assert numbers(kept, "accounts") == {FIRST, SECOND}
    assert states(kept).keys() == states(plain).keys()
    assert [state.keys() for state in states(kept).values()] == [{"format", "connections"}] * len(ALL_STREAMS)
    assert home.sync(document(OLD), plain, personal_data="keep").rows("statements") == []


@pytest.mark.parametrize("mode", PRIVATE)
def test_an_unchanged_document_sends_nothing(home: Home, mode: str) -> None:
    """Pseudonyms are the same in every sync."""
    first = home.sync(document(OLD, NEW), **hidden(mode))
    assert counts(home.sync(document(NEW, OLD), first, **hidden(mode))) == dict.fromkeys(SENDING, 0)


@pytest.mark.parametrize("mode", PRIVATE)
def test_a_new_bill_is_sent_alone(home: Home, mode: str) -> None:
    """As in the mode keep: that bill's rows, and the account that counts it."""
    first = home.sync(document(OLD, NEW), **hidden(mode))
    sync = home.sync(document(OLD, NEW, NEWER), first, **hidden(mode))
    assert counts(sync) == {"accounts": 1, "statements": 1, "charges": 2, "payments": 1}
    assert [row["billing_date"] for row in sync.rows("statements")] == ["2026-11-01"]


@pytest.mark.parametrize("mode", PRIVATE)
@pytest.mark.parametrize("change", [{"total_due_amount": 99}, {"customer_name": "Bob Planted"}, {"meters": []}])
def test_a_corrected_bill_sends_its_account_whole(home: Home, mode: str, change: dict[str, Any]) -> None:
    """Whatever was corrected, shown or not: the hash of the content tells, and the key of the bill stays."""
    first = home.sync(document(OLD, NEW), **hidden(mode))
    sync = home.sync(document({**OLD, **change}, NEW), first, **hidden(mode))
    before = {row["statement_key"]: row["content_hash"] for row in first.rows("statements")}
    after = {row["statement_key"]: row["content_hash"] for row in sync.rows("statements")}
    assert numbers(sync, "statements") == pseudonyms(FIRST)
    assert after.keys() < before.keys()
    assert sorted(before[key] == content for key, content in after.items()) == [False, True]
    assert sync.rows("accounts") == []


@pytest.mark.parametrize("mode", PRIVATE)
def test_a_vanished_account_is_told_by_its_pseudonym(home: Home, mode: str) -> None:
    """One row of `accounts` with no bills, under the number that the tables have."""
    first = home.sync(document(OLD), **hidden(mode))
    sync = home.sync(document(OLD, second=False), first, **hidden(mode))
    assert [(row["account_number"], row["statement_count"]) for row in sync.rows("accounts")] == [
        (*pseudonyms(SECOND), 0)
    ]


@pytest.mark.parametrize("mode", PRIVATE)
def test_an_account_that_the_provider_still_promises_has_not_vanished(home: Home, mode: str) -> None:
    """The numbers that it promises are read as pseudonyms, too."""
    home.promise(FIRST, SECOND)
    first = home.sync(document(OLD), **hidden(mode))
    sync = home.sync(document(OLD, second=False), first, **hidden(mode))
    assert sync.row("site")["reason"] == "PARTIAL_ACCOUNTS"
    assert sync.rows("accounts") == []
    assert counts(home.sync(document(OLD), sync, **hidden(mode))) == dict.fromkeys(SENDING, 0)


CHANGES = [
    pytest.param({}, hidden("hash"), id="keep to hash"),
    pytest.param({}, hidden("drop"), id="keep to drop"),
    pytest.param(hidden("hash"), hidden("drop"), id="hash to drop"),
    pytest.param(hidden("drop"), hidden("hash"), id="drop to hash"),
    pytest.param(hidden("hash"), {}, id="hash to keep"),
    pytest.param(hidden("hash"), hidden("hash", "another key of the kind"), id="another key"),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_another_mode_or_key_sends_everything_again(
    home: Home, caplog: pytest.LogCaptureFixture, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """All of it, later than before, with nothing said of the old numbers; and once, not with every sync."""
    first = home.sync(document(OLD, NEW), **before)
    caplog.clear()
    sync = home.sync(document(OLD, NEW, second=False), first, **after)
    assert counts(sync) == {"accounts": 1, "statements": 2, "charges": 4, "payments": 2}
    assert numbers(sync, "accounts").isdisjoint({SECOND} | pseudonyms(SECOND))
    assert sync.rows("accounts")[0]["observed_at"] > first.rows("accounts")[0]["observed_at"]
    (notice,) = [line for line in caplog.messages if "has changed" in line]
    assert notice.endswith(", statements, charges, payments.")
    caplog.clear()
    assert counts(home.sync(document(OLD, NEW, second=False), sync, **after)) == dict.fromkeys(SENDING, 0)
    assert "has changed" not in caplog.text


@pytest.mark.parametrize("mode", PRIVATE)
def test_no_state_holds_a_number_after_the_change(home: Home, mode: str) -> None:
    """What is known of accounts under their clear numbers is set aside, even of a login that gives nothing now."""
    first = home.sync(document(OLD))
    assert FIRST in json.dumps(states(first))
    failed = home.sync(Answer(404, {}, b""), first, **hidden(mode))
    assert failed.error is not None
    assert FIRST not in json.dumps(states(failed))
    assert counts(home.sync(document(OLD), failed, **hidden(mode)))["statements"] == 2


def test_rows_of_before_still_protect_a_table_that_is_replaced(home: Home) -> None:
    """A login that had rows and now has none must not empty the table, whatever its accounts were called."""
    first = home.sync(document(OLD))
    replaced = catalog_of(["accounts"], SyncMode.incremental, generation_id=2, minimum_generation_id=2)
    for after in (first, home.sync({**document(), "accounts": {"a": 1}}, first, **hidden("hash"))):
        assert home.sync({"accounts": []}, after, replaced, **hidden("hash")).error is not None
    unchanged = home.sync(document(OLD), first, **hidden("hash"))
    emptied = home.sync({"accounts": []}, unchanged, **hidden("hash"))
    assert home.sync({"accounts": []}, emptied, replaced, **hidden("hash")).error is None


@pytest.mark.parametrize("mode", PRIVATE)
@pytest.mark.parametrize("sync_mode", list(SyncMode))
def test_sustainability_alone_sends_nothing_and_says_so(
    home: Home, caplog: pytest.LogCaptureFixture, mode: str, sync_mode: SyncMode
) -> None:
    """The stream ends COMPLETE, also where its table is replaced: by an empty one, which is what was wanted."""
    catalog = catalog_of(["sustainability"], sync_mode, DestinationSyncMode.overwrite)
    sync = home.sync(document(OLD), None, catalog, **hidden(mode))
    assert (sync.rows("sustainability"), sync.error) == ([], None)
    assert sync.statuses("sustainability") == ["STARTED", "COMPLETE"]
    assert [line for line in caplog.messages if "sends no record" in line] == [
        f"The stream sustainability sends no record: it is free text, and 'personal_data' is {mode}."
    ]
    assert list(states(sync)) == ["sustainability"]


def test_the_log_says_nothing_where_it_matters_to_nobody(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Without the stream, and with everything kept."""
    home.sync(document(OLD), None, catalog_of(SENDING), **hidden("hash"))
    home.sync(document(OLD))
    assert "sends no record" not in caplog.text


def test_another_source_with_the_same_key_has_the_same_pseudonyms(home: Home) -> None:
    """Another login at another provider's account, joined by the number; with another key nothing joins."""
    first = home.sync(document(OLD), **hidden("hash"))
    for key, same in ((KEY, True), ("another key of the kind", False)):
        other = World()
        other.backend.deliver("user_good", document(OLD))
        elsewhere = other.read(other.config(**hidden("drop", key)))
        assert (numbers(elsewhere, "accounts") == numbers(first, "accounts")) is same


@pytest.mark.parametrize("mode", PRIVATE)
def test_the_mark_in_the_state_is_short(home: Home, mode: str) -> None:
    """It says which mode and key the rows have, and tells nothing of the key."""
    found = states(home.sync(document(OLD), **hidden(mode)))
    assert {state["personal_data"] for state in found.values()} == {Personal(mode, KEY).mark()}


def test_the_search_finds_what_is_planted(home: Home) -> None:
    """Where everything is kept, all of it leaves but the login and the key: the tests above look for what there is."""
    rows = json.dumps(home.sync(document(OLD)).rows("sustainability"))
    assert [planted for planted in PLANTED if planted in rows] == [FIRST, SECOND, PRINTED, NAME, CUSTOMER, STREET]


FACTS = ("observed_at", "snapshot_at")
WORDS = {
    "content_hash": "hash with the key",
    "statement_key": "as it is; where it is a hash, one of the pseudonym",
    **dict.fromkeys(("charge_key", "payment_key"), "hash of what is sent"),
}


def treatment(column: str, kept: Any, sent: Any) -> str:
    """Return in words what a mode did to a value."""
    if sent is None:
        return "not sent"
    return "as it is" if sent == kept else WORDS.get(column, "pseudonym")


def test_the_pages_say_what_becomes_of_every_column(home: Home) -> None:
    """The table is made of rows, so no column is forgotten; columns that are the same in every mode are left out."""
    linked = home.sync(document(OLD))
    syncs = [linked, *(home.sync(document(OLD), linked, **hidden(mode)) for mode in PRIVATE)]
    found: dict[tuple[str, ...], list[str]] = {}
    for stream in SENDING:
        place, kept = max(enumerate(linked.rows(stream)), key=lambda row: len(row[1]))
        others = [sync.rows(stream)[place] for sync in syncs[1:]]
        for column in kept.keys() - set(FACTS):
            becomes = [treatment(column, kept[column], row.get(column)) for row in others]
            if becomes != ["as it is"] * 2:
                found.setdefault((f"`{column}`", "as it is", *becomes), []).append(f"`{stream}`")
    assert [sync.rows("sustainability") == [] for sync in syncs] == [False, True, True]
    found["every column", "as it is", "no record", "no record"] = ["`sustainability`"]
    rows = sorted([column, ", ".join(streams), *becomes] for (column, *becomes), streams in found.items())
    text = table(["Column", "Streams", "`keep`", "`hash`", "`drop`"], rows)
    prove("docs/privacy.md", {"personal data": text})
    prove("docs/integrations/sources/linkless.md", {"personal data": text})


def test_the_recipe_of_the_page_makes_the_pseudonyms() -> None:
    """The documented query finds the rows of an account."""
    (recipe,) = re.findall(r"```python\n(.*?)```", read("docs/privacy.md"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(recipe, names)  # noqa: S102 - the page's own words, to see that they are true
    assert {names["pseudonym"](f" {KEY}\n", FIRST)} == pseudonyms(FIRST)
