"""The wall clock and the calendar; the only module that touches pendulum.

Waiting never looks here: it uses the event loop's own time (see `waiting`), so that tests can let it jump.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial

import pendulum
from pendulum import DateTime

Now = Callable[[], DateTime]  # the present moment in UTC; tests pass their own
utc_now: Now = partial(pendulum.now, "UTC")

_FURTHEST_DAYS = 400
_DATED = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def stamp(moment: DateTime) -> str:
    """Write a moment as ISO 8601 in UTC with microseconds, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_moment(text: object) -> DateTime | None:
    """Read an ISO 8601 moment (a moment without a zone is taken as UTC), or return None.

    The provider's texts disagree on the layout of a time stamp (API notes, section 3.1): others are unknown.
    """
    if not isinstance(text, str) or not _DATED.match(text):
        return None  # pendulum would take "now", and a time alone for one of today
    try:
        moment = pendulum.parse(text, tz="UTC")
        return moment.in_timezone("UTC") if isinstance(moment, DateTime) else None
    except (ValueError, OverflowError):
        return None


def stamp_after(moment: DateTime, previous: str | None) -> str:
    """Stamp a moment, but later than `previous` even if the clock was stepped back in between.

    `observed_at`, the cursor of every stream, must grow from sync to sync. The last moment of the calendar, which only
    a damaged state can hold, is passed over.
    """
    earliest = parse_moment(previous)
    with suppress(OverflowError):
        if earliest is not None and moment <= earliest:
            moment = earliest.add(microseconds=1)
    return stamp(moment)


def hours_since(text: object, now: DateTime) -> float | None:
    """Return the hours between a written moment and `now`, or None if the moment cannot be read."""
    moment = parse_moment(text)
    return None if moment is None else (now - moment).total_seconds() / 3600


def seconds_until(text: str, sent: str | None) -> float | None:
    """Return the seconds from when an answer was sent to an HTTP date in it, at least 0; None if it cannot be read.

    `sent` is its header `Date`, a moment of the same clock. Without it, ours is taken.
    """
    try:
        began = parsedate_to_datetime(sent) if sent else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(text).astimezone(UTC) - began.astimezone(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=8)  # asked for each account of a document, in every stream
def latest_bill_date(observed_at: str) -> str:
    """Return the latest date that a bill seen at a moment can have: 400 days ahead, further than any billing period."""
    moment = parse_moment(observed_at) or DateTime.max
    with suppress(OverflowError):
        return (moment.date() + timedelta(days=_FURTHEST_DAYS)).isoformat()
    return "9999-12-31"  # a damaged state can hold a moment that cannot be read, or the end of the calendar
