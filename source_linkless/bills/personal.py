"""Personal data: what is sent of it in each mode of the option `personal_data`. Pure.

                                    keep       hash         drop
    account_number                  as sent    pseudonym    pseudonym, as it is part of every key
    name, number, address           as sent    pseudonym    left out
    content_hash of a bill          SHA-256    keyed        keyed, as a short bill could be guessed from its hash
    what has no column, free form   as sent    left out     left out

A pseudonym replaces a value as soon as it is read, so no key, state or message is ever made of the value itself. It
depends only on the value, its column and the user's key: tables of several sources can still be joined.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from source_linkless.bills.bill import Bill
from source_linkless.config import Config

PERSONAL_COLUMNS = frozenset({"customer_name", "customer_number", "billing_address"})
"""The columns of `statements` that identify the customer, beside the key `account_number`."""
_LEFT_OUT = {"account_number", "corrections"}  # the account's number is in the key; corrections could hold anything


@dataclass(frozen=True, slots=True)
class Personal:
    """What happens to personal data: `mode` is keep, hash or drop, `key` is the pseudonymization key."""

    mode: str = "keep"
    key: str = field(default="", repr=False)

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the mode and key of a configuration."""
        return cls(config.personal_data, config.pseudonym_key)

    @property
    def is_kept(self) -> bool:
        """Whether everything is sent as the provider gave it."""
        return self.mode == "keep"

    def account_number(self, number: str) -> str:
        """Return the number as it is in every table; an empty one stays empty.

        Different numbers have different pseudonyms, so the modes have the same accounts.
        """
        return number if self.is_kept else self._pseudonym("account_number", number)

    def bill(self, bill: Bill) -> Bill:
        """Return what may be sent of a bill that was read without what has no column."""
        if self.is_kept:
            return bill
        left_out = _LEFT_OUT if self.mode == "hash" else _LEFT_OUT | PERSONAL_COLUMNS
        values = {
            name: self._pseudonym(name, value) if name in PERSONAL_COLUMNS else value
            for name, value in bill.values.items()
            if name not in left_out
        }
        content_hash = self._keyed("content_hash", bill.content_hash)
        return Bill({}, {}, values, {}, bill.charges, bill.payments, content_hash)

    def mark(self) -> str | None:
        """Return a text that differs for each mode and key, and does not reveal the key; None when all is kept."""
        return None if self.is_kept else self._keyed("personal_data", self.mode)[:16]

    def notices(self, streams: Mapping[str, bool]) -> Iterator[str]:
        """Return warnings for a sync of these streams; True marks a stream that had rows of another mode or key."""
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

    def _pseudonym(self, column: str, value: str) -> str:
        return self._keyed(column, value)[:32] if value else ""

    def _keyed(self, column: str, value: str) -> str:
        text = f"{column}\0{value}".encode(errors="surrogatepass")
        return hmac.digest(self.key.encode(), text, "sha256").hex()


KEEP = Personal()
"""Nothing is changed."""
