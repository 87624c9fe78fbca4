"""Personal data: what is sent of it in each mode of the option `personal_data`. Pure.

                                    keep       hash         drop
    account_number                  as sent    pseudonym    pseudonym, as it is part of every key
    name, number, address           as sent    pseudonym    left out
    content_hash of a bill          SHA-256    keyed        keyed, as a short bill could be guessed from its hash
    what has no column, free form   as sent    left out     left out

A pseudonym is made where a value is read: nothing that is made of it, be it a key, a state or a message, ever holds
the value. It depends on the value, its column and the key of the user alone, so joins survive, over sources too.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from source_linkless.bills.bill import LINE_ARRAYS, Bill
from source_linkless.config import Config

PERSONAL_COLUMNS = frozenset({"customer_name", "customer_number", "billing_address"})
"""The columns of `statements` that say who the customer is; `account_number` is a key, and treated as one."""

FREE_FORM = frozenset({"corrections"})
"""Columns whose shape nobody has published: anything could stand in them."""

_PSEUDONYM_DIGITS = 32
_MARK_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Personal:
    """What happens to personal data: `mode` is keep, hash or drop, `key` the secret that makes the pseudonyms."""

    mode: str = "keep"
    key: str = field(default="", repr=False)

    @property
    def is_kept(self) -> bool:
        """Whether everything is sent as the provider gave it."""
        return self.mode == "keep"

    def account_number(self, number: str) -> str:
        """Return the number as it stands in every table; the empty one, of an account without any, stays empty.

        Two numbers have one pseudonym exactly when they are the same text: accounts that are told apart in one mode
        are told apart in every mode.
        """
        return number if self.is_kept else self._pseudonym("account_number", number)

    def bill(self, bill: Bill) -> Bill:
        """Return what may be sent of a bill that was read without what has no column."""
        if self.is_kept:
            return bill
        content_hash = self._keyed("content_hash", bill.content_hash).hex()
        return Bill({}, {}, self._values(bill.values), {}, bill.charges, bill.payments, content_hash)

    def mark(self) -> str | None:
        """Return what tells rows of this mode and key from those of others; it tells nothing of the key."""
        return None if self.is_kept else self._keyed("personal_data", self.mode).hex()[:_MARK_DIGITS]

    def notices(self, streams: Mapping[str, bool]) -> Iterator[str]:
        """Say what a sync of these streams should know; True for one that had rows of another mode or key."""
        if not self.is_kept and "sustainability" in streams:
            yield f"The stream sustainability sends no record: it is free text, and 'personal_data' is {self.mode}."
        if not self.is_kept and "statement_files" in streams:
            yield (
                "The stream statement_files sends no record and no file: the files are full of personal data, and "
                f"'personal_data' is {self.mode}."
            )
        if again := ", ".join(name for name, is_afresh in streams.items() if is_afresh):
            yield (
                "'personal_data' or 'pseudonym_key' has changed: everything is sent again. The rows of before stay in "
                "the warehouse, with their account numbers as they were, until you clear the data of these streams: "
                f"{again}."
            )

    def _values(self, sent: dict[str, Any]) -> dict[str, Any]:
        values = dict(sent)
        for name in (*FREE_FORM, *LINE_ARRAYS, "account_number"):  # the account's own number is the key already
            values.pop(name, None)
        for name in PERSONAL_COLUMNS & values.keys():
            value = values.pop(name)
            if self.mode == "hash":
                values[name] = self._pseudonym(name, value)
        return values

    def _pseudonym(self, column: str, value: str) -> str:
        return self._keyed(column, value).hex()[:_PSEUDONYM_DIGITS] if value else ""

    def _keyed(self, column: str, value: str) -> bytes:
        """Return the HMAC of a value: of the same value in another column it is another one."""
        text = f"{column}\0{value}".encode(errors="surrogatepass")
        return hmac.digest(self.key.encode(), text, "sha256")


KEEP = Personal()
"""Everything as the provider gave it."""


def personal_of(config: Config) -> Personal:
    """Return what a configuration says about personal data."""
    return Personal(config.personal_data, config.pseudonym_key)
