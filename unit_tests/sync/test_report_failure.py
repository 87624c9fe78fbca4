"""The end of a sync: when it fails, with which failure type, and what its one error says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from airbyte_cdk.models import (
    AirbyteStream,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    FailureType,
    SyncMode,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.config import parse_config
from source_linkless.errors import Actor, Status
from source_linkless.provider.outcomes import (
    BROKEN,
    CREDENTIALS,
    NO_DATA,
    PARTIAL_ACCOUNTS,
    PROVIDER_DOWN,
    READY,
    UNKNOWN,
    WORKING,
    Outcome,
    outcome,
)
from source_linkless.sync.report import described, failure_of, is_incomplete, is_replaced, steps
from testing.raw_forms import form

CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error
FULL, INCREMENTAL = SyncMode.full_refresh, SyncMode.incremental
OVERWRITE, APPEND, DEDUP = DestinationSyncMode.overwrite, DestinationSyncMode.append, DestinationSyncMode.append_dedup


class End(NamedTuple):
    """How one login ended; `had_rows`: earlier syncs sent some of it."""

    key: str
    outcome: Outcome
    had_rows: bool = False


WORKED = End("worked", READY)
EMPTY = End("empty", outcome("NO_ACCOUNTS", NO_DATA))
EMPTIED = End("emptied", outcome("NO_ACCOUNTS", NO_DATA), had_rows=True)
PARTIAL = End("partial", Outcome(Status.READY, Actor.PROVIDER, None, PARTIAL_ACCOUNTS, "2 of 3 accounts."))
WRONG = End("wrong", outcome("InvalidCredentials", CREDENTIALS, "request 1"))
BROKE = End("broke", outcome("CONNECTION_FAILED", BROKEN, "request 2"))
SLOW = End("slow", outcome("Connecting", WORKING))
DOWN = End("down", outcome("HTTP_500", PROVIDER_DOWN, "request 3"))
STRANGE = End("strange", outcome("SOMETHING_NEW", UNKNOWN, "request 4"))


def stream(
    name: str = "statements",
    mode: SyncMode = FULL,
    destination: DestinationSyncMode = OVERWRITE,
    generation: int | None = None,
    minimum: int | None = None,
) -> ConfiguredAirbyteStream:
    """Return a configured stream."""
    return ConfiguredAirbyteStream(
        stream=AirbyteStream(name=name, json_schema={}, supported_sync_modes=[FULL, INCREMENTAL]),
        sync_mode=mode,
        destination_sync_mode=destination,
        generation_id=generation,
        minimum_generation_id=minimum,
    )


REPLACED, MERGED = stream(), stream(mode=INCREMENTAL, destination=DEDUP)


def failure(
    *ends: End, fail_on_holes: bool = False, streams: Sequence[ConfiguredAirbyteStream] = (MERGED,)
) -> AirbyteTracedException | None:
    """Return the error of a run that ended like this."""
    config = parse_config(form(failed_connections="fail" if fail_on_holes else "report"))
    incomplete = {end.key for end in ends if is_incomplete(end.outcome, None, had_rows=end.had_rows)}
    return failure_of(config, {end.key: end.outcome for end in ends}, incomplete, streams)


def text(error: AirbyteTracedException | None) -> str:
    """Return the message for the user."""
    assert error is not None
    return str(error.message)


@pytest.mark.parametrize(
    ("configured", "replaced"),
    [
        (stream(mode=FULL, destination=OVERWRITE), True),
        (stream(mode=FULL, destination=APPEND), False),
        (stream(mode=INCREMENTAL, destination=DEDUP), False),
        (stream(mode=INCREMENTAL, destination=APPEND), False),
        (stream(mode=INCREMENTAL, destination=OVERWRITE), False),
        (stream(mode=INCREMENTAL, destination=OVERWRITE, generation=1, minimum=1), False),
        (stream(mode=FULL, destination=APPEND, generation=3, minimum=3), True),
        (stream(mode=INCREMENTAL, destination=DEDUP, generation=3, minimum=3), True),
        (stream(mode=FULL, destination=APPEND, generation=3, minimum=0), False),
        (stream(mode=FULL, destination=APPEND, generation=0, minimum=0), False),
        (stream(mode=FULL, destination=OVERWRITE, generation=3, minimum=2), False),
        (stream(mode=FULL, destination=OVERWRITE, generation=3), True),
        (stream(mode=FULL, destination=OVERWRITE, minimum=3), True),
        (stream("connections", mode=FULL, destination=OVERWRITE), False),
        (stream("connections", mode=FULL, destination=OVERWRITE, generation=3, minimum=3), False),
    ],
)
def test_a_table_is_replaced(configured: ConfiguredAirbyteStream, replaced: bool) -> None:  # noqa: FBT001 - a case
    """By its generations where there are any, else by its modes; `connections` always tells of every login."""
    assert is_replaced(configured) is replaced


@pytest.mark.parametrize(
    ("ends", "fails"),
    [
        ([WORKED], False),
        ([EMPTY], False),
        ([WORKED, WRONG], False),
        ([EMPTY, WRONG, SLOW, DOWN], False),
        ([PARTIAL], False),
        ([EMPTIED], False),
        ([WRONG], True),
        ([WRONG, SLOW, DOWN], True),
    ],
)
def test_report_fails_when_no_login_worked(ends: list[End], fails: bool) -> None:  # noqa: FBT001 - a case
    """One login that is ready or has no data is enough, as long as no table is replaced."""
    assert (failure(*ends) is not None) is fails


@pytest.mark.parametrize("ends", [[WORKED, WRONG], [WORKED, SLOW], [EMPTY, BROKE], [WRONG]])
def test_fail_fails_with_any_hole(ends: list[End]) -> None:
    """What is missing is named; a login without data is no hole."""
    assert failure(*ends, fail_on_holes=True) is not None
    assert failure(WORKED, EMPTY, EMPTIED, PARTIAL, fail_on_holes=True) is None


@pytest.mark.parametrize(
    ("end", "is_hole", "in_replaced_table"),
    [
        *((end, True, True) for end in (WRONG, BROKE, SLOW, DOWN, STRANGE)),
        *((end, False, True) for end in (EMPTIED, PARTIAL)),
        *((end, False, False) for end in (WORKED, EMPTY)),
    ],
)
def test_a_hole_is_where_rows_would_be_missing(end: End, is_hole: bool, in_replaced_table: bool) -> None:  # noqa: FBT001 - a case
    """A table that is replaced also loses the rows of an account that is not there this time."""
    assert (failure(WORKED, end, fail_on_holes=True) is not None) is is_hole
    assert (failure(WORKED, end, streams=[MERGED, REPLACED]) is not None) is in_replaced_table


def test_a_replaced_table_is_named() -> None:
    """The user learns which tables stay as they are, and why."""
    streams = [MERGED, stream("charges"), stream("connections"), stream("payments")]
    error = failure(WORKED, PARTIAL, streams=streams)
    assert text(error) == (
        "1 of 2 logins could not be read completely. The tables that this sync replaces (charges, payments) would lose "
        "their rows, so they stay as they are.\npartial: PARTIAL_ACCOUNTS. 2 of 3 accounts."
    )
    assert error is not None
    assert error.failure_type is CONFIG


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([WRONG], CONFIG),
        ([SLOW], TRANSIENT),
        ([STRANGE], SYSTEM),
        ([WRONG, DOWN, STRANGE], TRANSIENT),
        ([STRANGE, WRONG], CONFIG),
        ([BROKE, WRONG], CONFIG),
    ],
)
def test_the_failure_type_says_whether_a_repeat_helps(ends: list[End], expected: FailureType) -> None:
    """Transient if any hole is, for the platform repeats nothing else; a surprise only when there is nothing else."""
    error = failure(*ends)
    assert error is not None
    assert error.failure_type is expected


def test_the_error_names_every_hole_with_its_next_step() -> None:
    """Logins that need the same are said together; ids for support go to the engineers' text."""
    again = End("wrong too", outcome("InvalidCredentials", CREDENTIALS, "request 5"))
    error = failure(WRONG, SLOW, again)
    assert text(error).splitlines() == [
        "3 of 3 logins could not be read completely.",
        f"wrong, wrong too: InvalidCredentials. {CREDENTIALS.advice}",
        f"slow: Connecting. {WORKING.advice}",
    ]
    assert error is not None
    assert str(error.internal_message).splitlines() == [
        "wrong: InvalidCredentials request 1",
        "slow: Connecting ",
        "wrong too: InvalidCredentials request 5",
    ]


def test_a_large_fleet_s_error_stays_readable() -> None:
    """Of the logins that need the same, the first are named and the others counted."""
    many = [End(f"k{number}", SLOW.outcome) for number in range(30)]
    outcomes = {end.key: end.outcome for end in many}
    (line,) = steps(outcomes)
    assert line.startswith("k0, k1, ")
    assert "k24 and 5 more (see the stream connections): Connecting." in line
    assert "k25" not in line
    few = dict(list(outcomes.items())[:25])
    assert steps(few)[0].startswith(f"{', '.join(few)}: ")
    error = failure(*many)
    assert error is not None
    assert len(str(error.internal_message).splitlines()) == 25


def test_an_outcome_is_described() -> None:
    """Word, what to do, and the identifiers, each where there is one."""
    assert described(WRONG.outcome) == f"InvalidCredentials. {CREDENTIALS.advice} (request 1)"
    assert described(outcome(None, NO_DATA)) == NO_DATA.advice
