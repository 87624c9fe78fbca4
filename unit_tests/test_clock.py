"""The wall clock: moments that can be written, read back and compared, whatever somebody else wrote."""

from __future__ import annotations

from datetime import UTC, datetime

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from source_linkless.clock import hours_since, latest_bill_date, parse_moment, stamp, stamp_after, utc_now
from testing.fuzzing import examples

NOON = pendulum.datetime(2026, 11, 22, 12)
STAMPED = "2026-11-22T12:00:00.000000Z"

moments = st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)).map(pendulum.instance)  # noqa: DTZ001 - the zone is `timezones`
texts = st.text(alphabet="0123456789-:T.ZW+/P ", max_size=18)


def test_the_present_moment_is_in_utc() -> None:
    """Stamps of two machines in different zones can be compared."""
    assert utc_now().timezone_name == "UTC"


@examples(50)
@given(moments, moments)
def test_text_order_is_time_order(one: pendulum.DateTime, other: pendulum.DateTime) -> None:
    """A destination that sorts stamps as text sorts them by time."""
    assert (stamp(one) < stamp(other)) == (one < other)


def test_a_stamp_is_in_utc_with_microseconds() -> None:
    """A moment of another zone is written as the same moment in UTC."""
    assert stamp(NOON) == STAMPED
    assert stamp(NOON.in_timezone("America/Toronto")) == STAMPED


@examples(50)
@given(moments)
def test_a_stamp_can_be_read_back(moment: pendulum.DateTime) -> None:
    """Nothing of a moment is lost in writing."""
    assert parse_moment(stamp(moment)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T12:00:00Z",
        "2026-11-22T12:00:00",
        "2026-11-22 12:00:00",
        "2026-11-22T12:00:00.0000000Z",
        "2026-11-22T07:00:00-05:00",
    ],
)
def test_a_moment_may_be_laid_out_in_several_ways(text: str) -> None:
    """The provider's texts disagree on the layout; without a zone it is UTC."""
    assert parse_moment(text) == NOON


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "12:30", "0:", "2026", "11/22/2026 12:00:00 PM", "P1D", "yesterday"),
        *("2026-13-01T00:00:00Z", "2026-11-22/2026-11-23", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
        *(None, 1795348800, ["2026-11-22"]),
    ],
)
def test_what_is_no_moment_is_unknown(text: object) -> None:
    """Something else in the place of a moment is unknown, never an error and never the present."""
    assert parse_moment(text) is None


@examples(200)
@given(st.one_of(st.text(max_size=25), st.builds("{}{}".format, st.dates(), texts)))
@example("0001-01-01T00:00:00+00:01")
def test_no_text_is_an_error(text: str) -> None:
    """Whatever is sent as a moment, reading it gives a moment in UTC or None."""
    moment = parse_moment(text)
    assert moment is None or moment.timezone_name == "UTC"


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        (None, STAMPED),
        ("never", STAMPED),
        ("2026-11-22T11:59:59.999999Z", STAMPED),
        (STAMPED, "2026-11-22T12:00:00.000001Z"),
        ("2026-11-23T00:00:00.000000Z", "2026-11-23T00:00:00.000001Z"),
        ("9999-12-31T23:59:59.999999Z", STAMPED),
    ],
)
def test_a_stamp_is_later_than_the_previous_one(previous: str | None, expected: str) -> None:
    """The cursor grows although the clock stood still or was set back."""
    assert stamp_after(NOON, previous) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-11-22T10:30:00Z", 1.5), ("2026-11-22T13:00:00Z", -1.0), ("soon", None), (None, None)],
)
def test_age_is_counted_in_hours(text: object, expected: float | None) -> None:
    """A written moment has an age in hours, negative in the future; something else has none."""
    assert hours_since(text, NOON) == expected


@pytest.mark.parametrize(
    ("observed_at", "latest"),
    [(STAMPED, "2027-12-27"), ("9999-12-31T00:00:00Z", "9999-12-31"), ("never", "9999-12-31")],
)
def test_a_bill_may_be_dated_400_days_ahead(observed_at: str, latest: str) -> None:
    """Seen at a moment that cannot be read, or at the end of the calendar, it may have any date."""
    assert latest_bill_date(observed_at) == latest
