"""Incremental sync by changed content: what to send of a document, and what to remember of it.

The state of a stream holds, for each connection and account, at most four values however many bills there are:

    newest      billing date of the newest bill sent, or null
    snapshot    the account's `snapshot_at`: when it was last sent whole
    digest      of everything sent, together with the projection version of the stream
    lost        number of bills that could not be read then; absent if there was none

The digest of the bills up to `newest`, and of those without a date, is compared with that of the new document.

    equal       the bills after `newest` are all that is new: they are sent with the account's `snapshot_at`
    different   a bill was corrected, came late, vanished or changed its key, or another `start_date` or
                projection makes other rows: the account is sent whole under a new `snapshot_at`

Rows of an older snapshot are no longer in the document: that is how a destination learns what vanished.

When more bills of an account cannot be read than before, a bill that seems to have vanished may be one of these: only
the bills after `newest` are sent, and the state stays as it is until all can be read again. Rows that were sent in
another mode of `personal_data`, or with another key, have other account numbers: every account is new.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from itertools import chain, compress, islice
from operator import not_
from typing import Any

import msgspec
import orjson

from source_linkless.bills import Account, Document, content
from source_linkless.clock import latest_bill_date, parse_moment
from source_linkless.errors import invalid_configuration
from source_linkless.streams import Delivery, Part, Stream

_NO_CURSOR = "__ab_no_cursor_state_message"  # the only member of the state of a stream in full refresh
State = Mapping[str, Any] | None
_FORMAT = 1
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)  # the layout of our own moments (RFC 3339)
_ROWS_OF_A_BLOCK = 64
"""Lines of about 30 KB: texts of more than 128 KB are given back to the system each time, and cost page faults."""


class _Sent(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What a destination holds of one account; see the state above."""

    newest: str | None
    snapshot: str
    digest: str
    lost: int = 0


class Known(msgspec.Struct, omit_defaults=True):
    """What a state holds of one connection, as of its last row or document.

    `files`: by account, see the module `files`. `had_others`: accounts with rows were set aside; until the next
    document says which accounts there are. `had_lines`: a row of `charges` was sent.
    """

    observed_at: str
    connection_id: str | None = None
    accounts: dict[str, _Sent] = msgspec.field(default_factory=dict)
    files: dict[str, str] = msgspec.field(default_factory=dict)
    had_others: bool = False
    had_lines: bool = False

    @property
    def had_rows(self) -> bool:
        """Whether the last documents had something for this stream."""
        return self.had_others or any(sent.digest for sent in self.accounts.values())


class StreamChanges:
    """What one stream sends, sync after sync.

    `state` is what `state()` once returned; None in the first sync. Bills dated before `start_date`, an ISO date, are
    not sent. `mark` stands for the mode of `personal_data` (see `Personal`). A full refresh (`is_full`) sends
    everything. Without it, raises a config error for a state that this version did not write.
    """

    def __init__(
        self, stream: Stream, state: State, *, start_date: str | None, mark: str | None = None, is_full: bool = False
    ) -> None:
        self._stream, self._start_date, self._mark, self._is_full = stream, start_date, mark, is_full
        self._connections = _read_state(stream.name, state, is_required=not is_full)
        is_other = (state or {}).get("personal_data") != mark
        for known in self._connections.values() if is_other or is_full else ():
            known.accounts, known.files, known.had_others = {}, {}, known.had_rows
        self.is_sent_again = is_other and any(known.had_others for known in self._connections.values())
        """Whether rows of another mode or key were sent before: they stay, as the new ones have other keys."""

    def known(self, connection_key: str) -> Known:
        """Return what is remembered of a connection; its `files` may be changed once it was observed."""
        return self._connections.get(connection_key) or Known("")

    def observe(self, connection_key: str, connection_id: str | None, observed_at: str) -> None:
        """Remember when a connection was looked at, later than before, and its id if known; call this before `rows`."""
        known = self._connections.setdefault(connection_key, Known(""))
        known.observed_at, known.connection_id = observed_at, connection_id or known.connection_id

    def rows(self, connection_key: str, document: Document, account: Account) -> Iterator[content.Rows]:
        """Yield the records to send for an account of a document; it is remembered once all its rows were taken."""
        known, stream = self._connections[connection_key], self._stream
        delivery = Delivery(known.connection_id, document, account, self._start_date)
        if stream.parts is None or (parts := stream.parts(delivery)) is None:
            return
        to_send, snapshot, is_kept = parts, known.observed_at, False
        latest = latest_bill_date(known.observed_at)
        dates = [None if (part.billing_date or "") > latest else part.billing_date for part in parts]
        before = known.accounts.get(account.number)
        if before and _MOMENT.fullmatch(before.snapshot) and parse_moment(before.snapshot):  # else it is damaged
            is_covered = [date is None or date <= (before.newest or "") for date in dates]
            is_same = self._digest(compress(parts, is_covered)) == before.digest
            is_kept = not is_same and account.lost > before.lost
            if is_same or is_kept:
                to_send, snapshot = [*compress(parts, map(not_, is_covered))], before.snapshot
                if is_same:
                    before.lost = account.lost
                if not to_send:
                    return
        common = {"connection_key": connection_key, "observed_at": known.observed_at, "snapshot_at": snapshot}
        members, rows = content.members(common), chain.from_iterable(map(stream.rows, to_send))
        while block := [*islice(rows, _ROWS_OF_A_BLOCK)]:
            known.had_lines = known.had_lines or stream.name == "charges"
            yield content.Rows(members, block)
        if not is_kept:
            newest = max(filter(None, dates), default=None)
            known.accounts[account.number] = _Sent(newest, snapshot, self._digest(parts), account.lost)

    def vanished(self, connection_key: str, document: Document, expected: Iterable[str]) -> Iterator[content.Rows]:
        """Forget the accounts that the document no longer has; in `accounts`, yield a row for each.

        A forgotten account that returns is sent whole. `expected` accounts, which exist according to the provider, stay
        as they are; so does everything while part of the document cannot be read. Iterate this in every stream, after
        `rows`.
        """
        known = self._connections.get(connection_key)
        if known is None or not document.is_readable:
            return
        known.had_others = False
        present = document.entries.keys() | expected
        known.files = {number: marks for number, marks in known.files.items() if number in present}
        for number in [number for number in known.accounts if number not in present]:
            if self._stream.name == "accounts":
                yield from self.rows(connection_key, document, Account(number))
            del known.accounts[number]

    def state(self) -> dict[str, Any]:
        """Return the state as a JSON value. Connections that left the configuration stay: they may return."""
        if self._is_full:
            return {_NO_CURSOR: True}
        connections = msgspec.to_builtins(self._connections)
        for known in connections.values():
            for sent in known.get("accounts", {}).values():
                if not sent[-1]:
                    sent.pop()  # `lost`: msgspec leaves out the defaults of objects, not of arrays
        return content.known(format=_FORMAT, personal_data=self._mark, connections=connections)

    def _digest(self, parts: Iterable[Part]) -> str:
        """Return 20 characters that stand for all parts, in any order; none for no parts."""
        fingerprints = sorted([part.fingerprint for part in parts])
        everything = orjson.dumps([self._stream.version, *fingerprints])
        return base64.urlsafe_b64encode(blake2b(everything, digest_size=15).digest()).decode() if fingerprints else ""


def _read_state(stream_name: str, state: State, *, is_required: bool) -> dict[str, Known]:
    if not state or state.get(_NO_CURSOR):
        return {}
    if state.get("format") == _FORMAT:
        with suppress(msgspec.ValidationError):
            return msgspec.convert(state.get("connections"), dict[str, Known])
    if not is_required:
        return {}
    raise invalid_configuration(
        f'The saved state of the stream "{stream_name}" has a form that this version of the connector does not '
        "know: clear the stream to load it again, or go back to the version that saved it."
    )
