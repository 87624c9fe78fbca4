"""Rows as JSON text: what a stream sends is written once, and copied from there on.

    {"connection_key": …, "observed_at": …, "snapshot_at": …,   "account_number": …, "charge_key": …, "amount": …}
     └── common: members that all rows of a block share ─────┘   └── own: the members of one row ──────────────┘

Members are the inside of a JSON object, without its braces. Nothing of a row is null: the platform's serialiser would
drop it. A block becomes lines of output by joining (`output`), or dicts where somebody wants to look at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

Members = bytes
"""The members of a JSON object, at least one, as they stand between its braces."""


def known(**columns: Any) -> dict[str, Any]:
    """Return the columns whose values are known."""
    return {name: value for name, value in columns.items() if value is not None}


def with_other(values: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a row together with what no column could hold."""
    return {**values, "other_fields": other} if other else {**values}


def members(columns: Mapping[str, Any]) -> Members:
    """Write columns as members."""
    return orjson.dumps(columns)[1:-1]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one stream, at least one; a column stands either in `common` or in each of `own`."""

    common: Members = field(repr=False)
    own: Sequence[Members] = field(repr=False)

    def dicts(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dict of its own."""
        return (orjson.loads(b"{%b,%b}" % (self.common, own)) for own in self.own)
