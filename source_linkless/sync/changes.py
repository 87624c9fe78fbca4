"""Incremental sync by changed content: what to send of a document, and what to remember of it.

The state of a stream holds, for each connection and account, at most four values however many bills there are:

    newest      billing date of the newest bill sent, or null
    snapshot    the account's `snapshot_at`: when it was last sent whole
    digest      of everything sent, together with the projection version of the stream
    lost        number of bills that could not be read then; absent if there was none

A document comes, and the digest of its bills up to `newest` (and of those without a date) is compared.

    equal       the bills after `newest` are all that is new: they are sent with the account's `snapshot_at`
    different   a bill was corrected, came late, vanished or changed its key, or another `start_date` or
                projection makes other rows: the account is sent whole under a new `snapshot_at`

Rows of an older snapshot are no longer in the document: that is how a destination learns what vanished.

A document with more bills that cannot be read than before gives an account no new snapshot, as the missing bill may be
one of these. Only the bills after `newest` are sent, and the state stays as it is until the bill can be read again.

Rows that were sent in another mode of `personal_data`, or with another key, have other account numbers: what is known
of them is set aside, and every account is new.
"""

from __future__ import annotations

import base64
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from operator import not_
from typing import Any

import orjson

from source_linkless.bills import Account, Document, content
from source_linkless.clock import latest_bill_date
from source_linkless.errors import invalid_state
from source_linkless.streams import Delivery, Part, Projection, Stream

_FORMAT = 1
_ROWS_OF_A_BLOCK = 64
"""Lines of about 30 KB: texts of more than 128 KB are given back to the system each time, and cost page faults."""
_NOTHING = Projection(parts=lambda _: None, rows=lambda _: ())
"""Of a stream whose rows do not come from documents."""
_NO_CURSOR = "__ab_no_cursor_state_message"


@dataclass(frozen=True, slots=True)
class Connection:
    """A login that delivers: its `key` in the warehouse and, when known, the provider's `connection_id`."""

    key: str
    connection_id: str | None


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a destination holds of one account."""

    newest: str | None
    snapshot: str
    digest: str
    lost: int = 0

    def covers(self, date: str | None) -> bool:
        """Whether a part of this date was there, or would have been, when the account was last looked at."""
        return date is None or (self.newest is not None and date <= self.newest)


@dataclass(slots=True)
class _Known:
    """What the state says of one connection."""

    observed_at: str | None = None
    connection_id: str | None = None
    accounts: dict[str, _Sent] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Of `statement_files`, by account: the marks of its bills; see `files`."""
    had_others: bool = False
    """Rows of accounts that were set aside; until the next document says which accounts there are."""
    had_lines: bool = False
    """Whether any row of `charges` was ever sent."""

    @property
    def had_rows(self) -> bool:
        """Whether the last documents had something for this stream."""
        return self.had_others or any(sent.digest for sent in self.accounts.values())

    def set_aside(self) -> None:
        """Forget the accounts, by numbers that must not be repeated."""
        self.accounts, self.files, self.had_others = {}, {}, self.had_rows


class StreamChanges:
    """What one stream sends, sync after sync.

    Args:
        stream: the stream.
        state: its state, as `state()` once returned it; None in a full refresh and in the first sync.
        start_date: ISO date; bills dated before it are not sent.
        mark: what tells rows of this mode of `personal_data` from those of others; see `personal.Personal.mark`.

    Raises:
        AirbyteTracedException: the state was not written by this connector, or by a newer one.
    """

    def __init__(
        self, stream: Stream, state: Mapping[str, Any] | None, *, start_date: str | None, mark: str | None = None
    ) -> None:
        self._stream, self._projection = stream, stream.projection or _NOTHING
        self._start_date = start_date
        self._mark = mark
        self._connections = _read_state(stream.name, state)
        is_other = (state or {}).get("personal_data") != mark
        for known in self._connections.values() if is_other else ():
            known.set_aside()
        self.is_afresh = is_other and any(known.had_others for known in self._connections.values())
        """Whether rows of another mode or key were sent, which nothing will replace."""

    def last_observed(self, connection_key: str) -> str | None:
        """Return `observed_at` of the connection's last row or document here: the next one must be later."""
        known = self._connections.get(connection_key)
        return known.observed_at if known else None

    def had_rows(self, connection_key: str) -> bool:
        """Whether the last documents of the connection had something for this stream."""
        known = self._connections.get(connection_key)
        return known is not None and known.had_rows

    def files(self, connection_key: str) -> dict[str, str]:
        """Return what is remembered of files, by account, of a connection that was observed; to be changed in place."""
        return self._connections[connection_key].files

    def connection_id(self, connection_key: str) -> str | None:
        """Return the provider's id of the connection as it was last known here."""
        known = self._connections.get(connection_key)
        return known.connection_id if known else None

    def had_lines(self, connection_key: str) -> bool:
        """Whether a sync that the state remembers, or this one, sent a charge of the connection; for `charges` only."""
        known = self._connections.get(connection_key)
        return known is not None and known.had_lines

    def observe(self, connection: Connection, observed_at: str) -> None:
        """Remember when a connection was looked at; before the rows of its document are asked for."""
        known = self._connections.setdefault(connection.key, _Known())
        known.observed_at = max(observed_at, known.observed_at or "")
        known.connection_id = connection.connection_id or known.connection_id

    def rows(self, connection_key: str, document: Document, account: Account) -> Iterator[content.Rows]:
        """Yield the records to send for an account of the document of a connection that was observed.

        The account is remembered when the iteration has passed all its rows: what was cut off is sent again.
        """
        parts = self._parts(self._connections[connection_key], document, account)
        return iter(()) if parts is None else self._account_rows(connection_key, account, parts)

    def vanished(
        self, connection_key: str, document: Document, still_expected: Container[str] = ()
    ) -> Iterator[content.Rows]:
        """Forget the accounts that the document no longer has; in `accounts`, say so with a row each.

        A forgotten account that returns is sent whole. Accounts in `still_expected` exist according to the
        provider, only their data is missing: they stay as they are, and so does everything while part of the
        document cannot be read. To be iterated in every stream, after `rows`.
        """
        known = self._connections.get(connection_key)
        if known is None or not document.is_readable:
            return
        known.had_others = False
        present = document.entries
        known.files = {one: at for one, at in known.files.items() if one in present or one in still_expected}
        gone = [number for number in known.accounts if number not in present and number not in still_expected]
        for number in gone:
            if self._stream.name == "accounts":
                account = Account(number)
                parts = self._parts(known, document, account) or []
                yield from self._account_rows(connection_key, account, parts)
            del known.accounts[number]

    def state(self) -> dict[str, Any]:
        """Return the state as a JSON value. Connections that left the configuration stay: they may return."""
        marked = {} if self._mark is None else {"personal_data": self._mark}
        return {
            "format": _FORMAT,
            **marked,
            "connections": {key: _written(known) for key, known in self._connections.items()},
        }

    def _parts(self, known: _Known, document: Document, account: Account) -> Sequence[Part] | None:
        delivery = Delivery(known.connection_id, document, account, self._start_date)
        return self._projection.parts(delivery)

    def _account_rows(self, connection_key: str, account: Account, parts: Sequence[Part]) -> Iterator[content.Rows]:
        known = self._connections[connection_key]
        before, observed_at = known.accounts.get(account.number), known.observed_at or ""
        to_send, snapshot = parts, observed_at
        latest = latest_bill_date(observed_at)
        dates = [None if (part.billing_date or "") > latest else part.billing_date for part in parts]
        is_covered = [before is not None and before.covers(date) for date in dates]
        is_same = before is not None and self._digest(compress(parts, is_covered)) == before.digest
        is_kept = before is not None and not is_same and account.lost > before.lost
        if before and (is_same or is_kept):
            to_send, snapshot = [*compress(parts, map(not_, is_covered))], before.snapshot
            if is_same:
                known.accounts[account.number] = replace(before, lost=account.lost)
            if not to_send:
                return
        common = {"connection_key": connection_key, "observed_at": observed_at, "snapshot_at": snapshot}
        yield from self._blocks(content.members(common), to_send, known)
        if not is_kept:
            newest = max(filter(None, dates), default=None)
            known.accounts[account.number] = _Sent(newest, snapshot, self._digest(parts), account.lost)

    def _blocks(self, common: content.Members, parts: Iterable[Part], known: _Known) -> Iterator[content.Rows]:
        """Put the rows of a few parts together: a block for each would cost more than its rows."""
        own: list[content.Members] = []
        for part in parts:
            own += self._projection.rows(part)
            known.had_lines = known.had_lines or (bool(own) and self._stream.name == "charges")
            if len(own) >= _ROWS_OF_A_BLOCK:
                yield content.Rows(common, own)
                own = []
        if own:
            yield content.Rows(common, own)

    def _digest(self, parts: Iterable[Part]) -> str:
        """Return 20 characters that stand for all parts, in any order; none for no parts."""
        fingerprints = sorted([part.fingerprint for part in parts])
        if not fingerprints:
            return ""
        everything = orjson.dumps([self._stream.version, *fingerprints])
        return base64.urlsafe_b64encode(content.blake2b_of(everything, 15)).decode()


def _written(known: _Known) -> dict[str, Any]:
    accounts = {
        number: [sent.newest, sent.snapshot, sent.digest, *([sent.lost] if sent.lost else [])]
        for number, sent in known.accounts.items()
    }
    facts = {
        "observed_at": known.observed_at,
        "connection_id": known.connection_id,
        "accounts": accounts or None,
        "files": {**known.files} or None,
        "had_others": known.had_others or None,
        "had_lines": known.had_lines or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _read_state(stream_name: str, state: Mapping[str, Any] | None) -> dict[str, _Known]:
    if not state or state.get(_NO_CURSOR):
        return {}
    unknown_form = invalid_state(
        f'The saved state of the stream "{stream_name}" has a form that this version of the connector does not '
        "know: clear the stream to load it again, or go back to the version that saved it."
    )
    if state.get("format") != _FORMAT:
        raise unknown_form
    try:
        return {key: _read_known(known) for key, known in state["connections"].items()}
    except (AttributeError, KeyError, TypeError):
        raise unknown_form from None


def _read_known(written: Mapping[str, Any]) -> _Known:
    accounts = {number: _read_sent(*values) for number, values in written.get("accounts", {}).items()}
    connection_id, had_others = _text_or_none(written.get("connection_id")), written.get("had_others") is True
    files = {number: _text(marks) for number, marks in written.get("files", {}).items()}
    had_lines = written.get("had_lines") is True
    return _Known(_text(written["observed_at"]), connection_id, accounts, files, had_others, had_lines)


def _read_sent(newest: object, snapshot: object, digest: object, lost: object = 0) -> _Sent:
    if type(lost) is not int:
        raise TypeError
    return _Sent(_text_or_none(newest), _text(snapshot), _text(digest), lost)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
