"""The rules that every record must follow, as strict as the platform's own acceptance tests."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteMessage

# The validators of the platform's own acceptance tests: strict integers, dates that are dates.
from airbyte_cdk.test.standard_tests._read_assertions import RecordFormatChecker, StrictIntegerDraft7Validator

from source_linkless.streams import STREAMS


@cache
def validator(stream: str) -> Any:
    """Return the strict validator of a stream's records."""
    return StrictIntegerDraft7Validator(STREAMS[stream].json_schema(), format_checker=RecordFormatChecker())


def broken_rules(messages: Iterable[AirbyteMessage]) -> list[str]:
    """Return what is wrong with the messages of a sync, in the order found."""
    records = [message.record for message in messages if message.record is not None]
    found = [f"{record.stream}: {problem}" for record in records for problem in _wrong(record.stream, record.data)]
    keys = [(record.stream, *_key(record.stream, record.data)) for record in records]
    found += [f"sent twice: {key}" for key in set(keys) if keys.count(key) > 1]
    return found + [f"{message.type} does not survive its serialiser" for message in messages if not _survives(message)]


def _wrong(stream: str, row: dict[str, Any]) -> list[str]:
    problems = [f"{error.json_path} {error.message}" for error in validator(stream).iter_errors(row)]
    return problems + [f"the key {value!r} is no text" for value in _key(stream, row) if not isinstance(value, str)]


def _key(stream: str, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(column) for column in STREAMS[stream].primary_key)


def _survives(message: AirbyteMessage) -> bool:
    """Whether a message is one line of JSON, written by the CDK's fast serialiser and read as it was."""
    line = AirbyteEntrypoint.airbyte_message_to_string(message)
    written = orjson.loads(line)
    if message.record is None:
        return "\n" not in line
    return "\n" not in line and written["record"]["data"] == {
        name: value for name, value in message.record.data.items() if value is not None
    }
