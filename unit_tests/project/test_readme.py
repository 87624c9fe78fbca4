"""README is short, and what it says of streams and configuration is true."""

from __future__ import annotations

from source_linkless.streams import STREAMS
from testing.documents import README, rows, section
from testing.generated_parts import read

MAX_LINES = 140


def test_the_readme_is_short() -> None:
    """Details belong to the pages that it links."""
    assert len(read(README).splitlines()) <= MAX_LINES


def test_the_streams_are_those_of_the_connector() -> None:
    """Name and primary key of every stream, in the order of the catalog."""
    found = {cells[0].strip("`"): cells[2] for cells in rows(section(README, "Streams"))}
    keys = {stream.name: ", ".join(f"`{column}`" for column in stream.primary_key) for stream in STREAMS.values()}
    assert list(found.items()) == list(keys.items())
