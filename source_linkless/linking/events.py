"""What a run tells its consumer, in order; `check`, `read` and the command line consume the same events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from source_linkless.config import Login
from source_linkless.provider import Body, Context, StatementFile
from source_linkless.provider.outcomes import Outcome

FEW_LOGINS = 20
"""Up to so many logins, each has lines of its own in the log; of more, the log has counts and what needs attention."""
NOT_ASKED_YET = "NOT_ASKED_YET"
"""Reason of a login whose data has not been asked for: its turn under the rate limit has not come."""


class NotWrittenError(Exception):
    """Raised by the consumer of a LinksChanged that could not write it: the links must not be taken as written."""


@dataclass(frozen=True, slots=True)
class LinksChanged:
    """The value of the property `links` that must be written back before anything else happens."""

    links: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A bill whose file is to be asked for; `mark` stands for its content in the state of `statement_files`."""

    statement_id: str
    account_number: str
    statement_key: str
    billing_date: str | None
    mark: str
    has_failed: bool = False
    """In an earlier sync: it is asked for last, so that it delays nothing else."""


@dataclass(slots=True)
class Receipt:
    """What the consumer found in a document; filled in before the document is acknowledged."""

    accounts: int | None = None
    """Number of accounts; None when the document could not be read completely."""
    files: Sequence[WantedFile] = ()
    """Files to ask for after the login has ended, in this order; what the deadline leaves is forgotten."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The document of a connection, undecoded; acknowledging it frees its memory, or its file, for the next."""

    login: Login
    connection_id: str | None
    body: Body = field(repr=False)
    receipt: Receipt = field(default_factory=Receipt)


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of one login in this run; comes once for every configured login, after its document."""

    login: Login
    outcome: Outcome
    connection_id: str | None
    context: Context | None
    waited: float
    """Seconds from the start of the run to the document or the failure."""


@dataclass(frozen=True, slots=True)
class FileAnswered:
    """The answer for the file of a bill, after the login's Finished: the file, or the outcome without one."""

    login: Login
    wanted: WantedFile
    file: StatementFile | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Waiting:
    """One login that is being waited for: its key, the provider's latest reason code, the seconds so far."""

    key: str
    reason: str
    seconds: float

    def __str__(self) -> str:
        """Return the line that a log shows of this wait."""
        return f"{self.key}: {self.reason} ({self.seconds:.0f} s)"


@dataclass(frozen=True, slots=True)
class Progress:
    """Once a minute: how far the run is. `counts` by status; `slowest` are the longest waits, longest first."""

    counts: dict[str, int]
    slowest: tuple[Waiting, ...]
    heartbeat: bool
    """True every few minutes: time to repeat the states, so that the platform sees that the sync is alive."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A login has reached the next step; told only when there are few logins, never once per poll."""

    waiting: Waiting


@dataclass(frozen=True, slots=True)
class Stopping:
    """A person has interrupted the run: every wait ends, and what is being submitted is finished first."""


Event = LinksChanged | Delivered | Finished | FileAnswered | Progress | Moved | Stopping
