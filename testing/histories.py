"""Random histories of a provider, a user and a scheduler, and a destination that follows the rules for rows."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from hypothesis import strategies as st

from source_linkless.bills import Document, read_document
from source_linkless.bills.content import Members, members
from source_linkless.streams import STREAMS, Stream
from source_linkless.sync.changes import StreamChanges
from testing.deliveries import Connection, delivered, vanished

Row = dict[str, Any]
Bill = dict[str, Any]

LOGINS = ("hq", "plant")
NUMBERS = ("A", "B")
DATES = (None, "2025-11-30", "2026-01-11", "2026-02-11", "2026-03-11")
OPTIONAL_STREAMS = ("sustainability", "statements", "charges", "payments")

_amounts = st.sampled_from([1, 2, 12.3])
_lines = st.lists(st.sampled_from([{"amount": 1}, {"amount": 2.5, "meter": "m"}]), max_size=2)
_bills = st.fixed_dictionaries(
    {
        "billing_date": st.sampled_from(DATES),
        "total_due_amount": _amounts,
        "statement_id": st.sampled_from([None, "s1", "s1", "s1~2", "s2", 7]),
        "statement_number": st.sampled_from([None, None, "s1"]),
        "charges": _lines,
        "payments": _lines,
    }
)
_where = st.tuples(st.sampled_from(LOGINS), st.sampled_from(NUMBERS), st.integers(0, 3))
_additions = st.tuples(st.just("add"), _where, _bills)
_edits = st.one_of(
    _additions,
    st.tuples(st.just("next"), _where, _bills),
    st.tuples(st.just("correct"), _where, _amounts),
    st.tuples(st.just("re-key"), _where, st.sampled_from(["s1", "s3"])),
    st.tuples(st.sampled_from(["repeat", "withdraw", "close", "empty"]), _where, st.none()),
)


@dataclass(frozen=True, slots=True)
class Step:
    """Changes before a sync, and how that sync runs."""

    edits: list[Any]
    configured: frozenset[str]
    streams: frozenset[str]
    start_date: str | None
    version: int
    failing: str | None
    unreadable: str | None
    killed_after: list[int]
    seed: int


def _seldom(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([usual] * (2 * len(others)) + [*others])


_steps = st.builds(
    Step,
    edits=st.lists(_edits, max_size=3),
    configured=_seldom(frozenset(LOGINS), frozenset(LOGINS[:1]), frozenset(LOGINS[1:])),
    streams=_seldom(frozenset(OPTIONAL_STREAMS), *(frozenset({name}) for name in OPTIONAL_STREAMS)),
    start_date=_seldom(None, "2026-01-01", "2026-02-11", "2027-01-01"),
    version=_seldom(1, 2),
    failing=_seldom(None, *LOGINS),
    unreadable=_seldom(None, *LOGINS),
    killed_after=_seldom([], [0], [2], [5], [9], [1, 4]),
    seed=st.integers(0, 2**16),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Return histories of a few syncs; the first has one or two accounts."""
    first, *rest = draw(st.lists(_steps, min_size=2, max_size=6))
    return [replace(first, edits=draw(st.lists(_additions, min_size=2, max_size=8))), *rest]


@dataclass
class World:
    """Everything outside the connector: the provider's bills, the saved states, the destination's tables."""

    bills: dict[str, dict[str, list[Bill]]] = field(default_factory=lambda: {login: {} for login in LOGINS})
    states: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[tuple[Any, ...], Row]] = field(default_factory=lambda: {name: {} for name in STREAMS})
    newest: dict[str, dict[str, list[Row]]] = field(default_factory=lambda: {name: {} for name in STREAMS})
    synced: dict[tuple[str, str], int] = field(default_factory=dict)
    streams: Mapping[str, Stream] = field(default_factory=dict)
    syncs: int = 0

    def change(self, step: Step) -> None:
        """Let the provider's bills change."""
        for what, (login, number, index), detail in step.edits:
            bills = self.bills[login].setdefault(number, [])
            bill = bills[index % len(bills)] if bills else {}
            if what == "add":
                bills.append(dict(detail))
            elif what == "next":
                bills.append({**detail, "billing_date": f"2026-06-{self.syncs + 1:02}", "statement_id": None})
            elif what == "correct":
                bill["total_due_amount"] = detail
            elif what == "re-key":
                bill["statement_id"] = detail
            elif what == "repeat" and bills:
                bills.append(dict(bill))
            elif what == "withdraw" and bills:
                bills.remove(bill)
            elif what == "close":
                del self.bills[login][number]
            elif what == "empty":
                bills.clear()

    def sync(self, step: Step) -> None:
        """Sync, after the attempts that are killed; the failing login delivers nothing."""
        self.streams = {name: _at_version(STREAMS[name], step.version) for name in (*sorted(step.streams), "accounts")}
        for records in step.killed_after:
            self._attempt(step, records)
        self._attempt(step, None)
        for login in self._delivering(step):
            known = self.synced.get(("accounts", login))
            for name, stream in self.streams.items():
                if not self._is_unreadable(login, step) or self.synced.get((name, login)) == known:
                    self.synced[name, login] = self.syncs  # a table that was behind does not catch up unread
                rows = self._whole(stream, login, step)
                numbers = {row["account_number"] for row in rows}
                kept = self.newest[name].get(login, []) if self._is_unreadable(login, step) else []
                self.newest[name][login] = [row for row in kept if row["account_number"] not in numbers] + rows

    def sync_again(self, step: Step) -> list[Row]:
        """Return the rows of a second sync of the same bills, in another order and notation."""
        return self._attempt(replace(step, seed=step.seed + 1), None)

    def shown(self) -> dict[str, list[Row]]:
        """Return the rows of the last sync that are current by the rules of the dictionary."""
        rows = {name: self._comparable(name, _current(self.tables[name].values())) for name in self.streams}
        return {name: _readable(name, found, rows["accounts"], self._newest(name)) for name, found in rows.items()}

    def expected(self) -> dict[str, list[Row]]:
        """Return the rows of the newest documents."""
        rows = {name: self._newest(name) for name in self.streams}
        return {name: _readable(name, found, rows["accounts"], found) for name, found in rows.items()}

    def _newest(self, name: str) -> list[Row]:
        return self._comparable(name, [row for rows in self.newest[name].values() for row in rows])

    def _comparable(self, name: str, rows: list[Row]) -> list[Row]:
        """Leave out logins whose rows here are older than those in `accounts`: the stream was not selected."""
        accounts = {login: at for (of, login), at in self.synced.items() if of == "accounts"}
        as_new = {login for login, at in accounts.items() if self.synced.get((name, login)) == at}
        return [row for row in rows if row["connection_key"] in as_new]

    def _delivering(self, step: Step) -> list[str]:
        return sorted(step.configured - {step.failing})

    def _is_unreadable(self, login: str, step: Step) -> bool:
        """Whether the login's bills have an unknown shape; without bills there is no shape."""
        return login == step.unreadable and any(self.bills[login].values())

    def _attempt(self, step: Step, records: int | None) -> list[Row]:
        """Run a sync; stop it after some records, with the states that were saved by then."""
        self.syncs += 1
        observed_at = f"2026-06-01T00:00:{self.syncs:02}.000000Z"
        dice = random.Random(step.seed + self.syncs)  # noqa: S311 - repeatable, not cryptography
        runs = {
            name: StreamChanges(stream, _saved(self.states.get(name)), start_date=step.start_date)
            for name, stream in self.streams.items()
        }
        stored: list[Row] = []
        for name, row in self._sending(runs, step, observed_at, dice):
            if records is not None and len(stored) == records:
                return stored
            self.tables[name][tuple(row[column] for column in self.streams[name].primary_key)] = row
            stored.append(row)
            if dice.random() < 0.3:
                self.states[name] = _saved(runs[name].state())
        self.states |= {name: _saved(run.state()) for name, run in runs.items()}
        return stored

    def _sending(
        self, runs: Mapping[str, StreamChanges], step: Step, observed_at: str, dice: random.Random
    ) -> Iterator[tuple[str, Row]]:
        for login in self._delivering(step):
            document = self._document(login, dice, readable=not self._is_unreadable(login, step))
            for name, run in runs.items():
                is_known = run.known(login).observed_at != ""
                connection = Connection(login, None if is_known and dice.random() < 0.5 else f"id of {login}")
                yield from ((name, row) for row in delivered(run, connection, document, observed_at))
                yield from ((name, row) for row in vanished(run, connection, document))

    def _whole(self, stream: Stream, login: str, step: Step) -> list[Row]:
        dice = random.Random(step.seed)  # noqa: S311 - as above
        document = self._document(login, dice, readable=not self._is_unreadable(login, step))
        first = StreamChanges(stream, None, start_date=step.start_date)
        return list(delivered(first, Connection(login, f"id of {login}"), document, ""))

    def _document(self, login: str, dice: random.Random, *, readable: bool = True) -> Document:
        entries = [
            {"account_number": number, "statements": part}
            if readable
            else {"account_number": number, "invoices": bills}
            for number, bills in self.bills[login].items()
            for part in (_divided([_reordered(bill, dice) for bill in bills], dice) if readable else [bills])
        ]
        return read_document(scrambled({"source_name": "Example", "accounts": shuffled(entries, dice)}, dice).encode())


def _at_version(stream: Stream, version: int) -> Stream:
    """Return a stream after an upgrade: a higher version with another column."""

    def rows_of(part: Any) -> Sequence[Members]:
        return [row + b"," + members({"version": version}) for row in stream.rows(part)]

    return stream._replace(version=version, rows=rows_of)


def _current(rows: Collection[Row]) -> list[Row]:
    """Keep the rows of each account's newest snapshot."""
    newest: dict[tuple[str, str], str] = {}
    for row in rows:
        account = row["connection_key"], row["account_number"]
        newest[account] = max(row["snapshot_at"], newest.get(account, ""))
    return [row for row in rows if row["snapshot_at"] == newest[row["connection_key"], row["account_number"]]]


def _readable(name: str, rows: list[Row], accounts: list[Row], expected: list[Row]) -> list[Row]:
    """Leave out accounts without bills, lines that nothing newer can outdate, and the values of times."""
    with_bills = {(row["connection_key"], row["account_number"]) for row in accounts if row["statement_count"]}
    with_lines = {(row["connection_key"], row["account_number"]) for row in expected}
    kept = with_bills & with_lines if name in {"charges", "payments"} else with_bills
    times = dict.fromkeys(("observed_at", "snapshot_at"), "a time")
    shown = [
        _sorted(row | {column: times[column] for column in times.keys() & row.keys()})
        for row in rows
        if (row["connection_key"], row["account_number"]) in kept
    ]
    return sorted(shown, key=_text)


def _sorted(value: Any) -> Any:
    """Put every array of a record in one order: the order of bills and lines says nothing."""
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=_text)
    if isinstance(value, dict):
        return {name: _sorted(item) for name, item in value.items()}
    return value


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _reordered(bill: Bill, dice: random.Random) -> Bill:
    """Return a bill with its lines in another order."""
    return {name: shuffled(value, dice) if isinstance(value, list) else value for name, value in bill.items()}


def _divided(bills: list[Bill], dice: random.Random) -> list[list[Bill]]:
    """Divide the bills of an account over one or two entries with the same number."""
    mixed = shuffled(bills, dice)
    cut = dice.randint(0, len(mixed))
    return [mixed[:cut], mixed[cut:]] if dice.random() < 0.3 else [mixed]


def shuffled(items: list[Any], dice: random.Random) -> list[Any]:
    """Return the items in another order."""
    return dice.sample(items, len(items))


def scrambled(value: Any, dice: random.Random) -> str:
    """Write a JSON value in one of several equal notations."""
    if isinstance(value, dict):
        members = [f"{orjson.dumps(name).decode()}:{scrambled(value[name], dice)}" for name in shuffled([*value], dice)]
        return "{" + (", " if dice.random() < 0.5 else ",").join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(scrambled(item, dice) for item in value) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return dice.choice([str(value), f"{value}.0", f"{value}.00", f"{value}e0"])
    if isinstance(value, float):
        return dice.choice([str(value), f"{value}0", f"{value * 10:.6f}e-1"])
    return orjson.dumps(value).decode()


def _saved(state: Any) -> Any:
    return None if state is None else orjson.loads(orjson.dumps(state))
