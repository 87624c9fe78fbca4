"""Rows as text."""

from __future__ import annotations

import orjson

from source_linkless.bills.content import members


def test_no_row_holds_the_character_that_no_destination_can_hold() -> None:
    """Whatever a row is made of, also what does not come from a document."""
    written = members({"a": "x\0y", "b": "\\u0000"})
    assert orjson.loads(b"{%b}" % written) == {"a": "x\ufffdy", "b": "\\u0000"}
