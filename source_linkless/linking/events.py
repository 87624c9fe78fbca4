"""What a run tells its consumer, in order; `check`, `read` and the command line understand the same events."""

from __future__ import annotations

from dataclasses import dataclass, field

from source_linkless.config import Login
from source_linkless.provider.api import Context
from source_linkless.provider.bodies import Body
from source_linkless.provider.outcomes import Outcome

FEW_LOGINS = 20
"""Up to so many, each login has lines of its own in the log; of more, it tells numbers and what needs attention."""


@dataclass(frozen=True, slots=True)
class LinksChanged:
    """The value of the property `links` that must be written back before anything else happens."""

    links: str = field(repr=False)


@dataclass(slots=True)
class Receipt:
    """What the consumer found in a document; filled in before the document is acknowledged."""

    accounts: int | None = None
    """Number of accounts; None when the document could not be read whole."""


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
class Waiting:
    """One login that is being waited for: its key, the provider's latest word, the seconds so far."""

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
    """True every few minutes: time to repeat the states, so that the platform knows that we live."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A login has got a step further; told only of few logins, never once per look."""

    waiting: Waiting


Event = LinksChanged | Delivered | Finished | Progress | Moved
