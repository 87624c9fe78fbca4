"""The end of a sync: did it succeed, and what does the platform need to know? Pure.

every hole is a row and a warning
`report`   fails when no login worked, or when a hole would delete rows of a table that is being replaced
`fail`     fails with any hole
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airbyte_cdk.models import ConfiguredAirbyteStream, DestinationSyncMode, FailureType, SyncMode
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.errors import Status
from source_linkless.provider.outcomes import PARTIAL_ACCOUNTS, Outcome

_KEYS_SHOWN = 25
_WORKED = (Status.READY, Status.NO_DATA)


@dataclass(frozen=True, slots=True)
class End:
    """How one login ended.

    `lost_rows`: it had rows in earlier syncs and now says that it has none. `is_unread`: its document has a shape
    that only the stream `sustainability` can show, or bills that could not be read.
    """

    key: str
    outcome: Outcome
    lost_rows: bool = False
    is_unread: bool = False

    @property
    def is_hole(self) -> bool:
        """Whether its data is missing."""
        return self.outcome.status not in _WORKED

    @property
    def is_hole_in_replaced_table(self) -> bool:
        """Whether a table that is replaced would lose rows of it."""
        is_empty = self.outcome.status is Status.NO_DATA and self.lost_rows
        is_partial = self.outcome.reason == PARTIAL_ACCOUNTS
        return self.is_hole or is_empty or is_partial or self.is_unread


def is_replaced(stream: ConfiguredAirbyteStream) -> bool:
    """Tell whether the destination replaces this stream's table with what this run sends.

    With generations (the platform's refreshes, and its `overwrite`): when the minimum is the present one. Without:
    full refresh with overwrite. `incremental` with overwrite is what PyAirbyte asks of every stream, with 1 for both
    generations (0.71.3), and it merges by primary key: no replacement. The platform has no such combination.
    """
    overwrites = stream.destination_sync_mode is DestinationSyncMode.overwrite
    if stream.stream.name == "connections" or (overwrites and stream.sync_mode is SyncMode.incremental):
        return False
    minimum = stream.minimum_generation_id
    if minimum is not None and stream.generation_id is not None:
        return bool(minimum > 0 and minimum == stream.generation_id)
    return overwrites


def failure_of(
    ends: Sequence[End], *, fail_on_holes: bool, streams: Iterable[ConfiguredAirbyteStream]
) -> AirbyteTracedException | None:
    """Return the one error of a failed run, naming every hole with its next step, or None if the run succeeded."""
    holes = [end for end in ends if end.is_hole]
    nothing_worked = len(holes) == len(ends)
    if nothing_worked or (holes and fail_on_holes):
        return _error(holes, len(ends), "")
    lost = [end for end in ends if end.is_hole_in_replaced_table]
    replaced = [stream.stream.name for stream in streams if is_replaced(stream)]
    if lost and replaced:
        names = ", ".join(replaced)
        why = f" The tables that this sync replaces ({names}) would lose their rows, so they stay as they are."
        return _error(lost, len(ends), why)
    return None


def _error(holes: Sequence[End], of: int, why: str) -> AirbyteTracedException:
    head = f"{len(holes)} of {of} logins could not be read completely.{why}"
    if of == 1:
        head = f"The login could not be read completely.{why}"
    message = "\n".join([head, *steps(holes)])
    details = "\n".join(f"{end.key}: {end.outcome.reason} {end.outcome.detail}" for end in holes[:_KEYS_SHOWN])
    return AirbyteTracedException(message=message, internal_message=details, failure_type=_failure_type(holes))


def steps(holes: Sequence[End]) -> list[str]:
    """Say what to do, once for all logins that need the same."""
    groups: dict[tuple[str | None, str], list[str]] = defaultdict(list)
    for end in holes:
        groups[end.outcome.reason, end.outcome.message].append(end.key)
    return [f"{_names(keys)}: {_sentence(reason, message)}" for (reason, message), keys in groups.items()]


def _names(keys: Sequence[str]) -> str:
    more = len(keys) - _KEYS_SHOWN
    shown = ", ".join(keys[:_KEYS_SHOWN])
    return f"{shown} and {more} more (see the stream connections)" if more > 0 else shown


def _sentence(reason: str | None, message: str) -> str:
    return f"{reason}. {message}" if reason else message


def described(outcome: Outcome) -> str:
    """Return an outcome in words: the provider's word, what to do, and the identifiers for support."""
    detail = f" ({outcome.detail})" if outcome.detail else ""
    return _sentence(outcome.reason, outcome.message) + detail


def _failure_type(holes: Sequence[End]) -> FailureType:
    """Let the platform repeat only what a repeat within minutes can cure: any transient hole, but no other."""
    kinds = {end.outcome.failure for end in holes}
    if FailureType.transient_error in kinds:
        return FailureType.transient_error
    return FailureType.system_error if kinds == {FailureType.system_error} else FailureType.config_error
