"""The simulator in a process of its own, whose logins are ready after given seconds, and what its journal says."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from linkless_simulator.backend import Backend
from linkless_simulator.bills import Sizes
from linkless_simulator.journal import Entry
from linkless_simulator.server import Simulator
from linkless_simulator.situations import CONNECTING, EXTRACTING, READY
from linkless_simulator.sources import ORDINARY
from linkless_simulator.stages import Looks, Seconds, Stage
from linkless_simulator.story import Story

PRODUCT = "/sustainability/get"
_OK = 200
_UNTIL_FIRST_PRODUCT_CALL = Looks(0)
_DOCUMENTS = Sizes(accounts=2, statements=12, charges=4)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Logins that are ready so many seconds after their first product call; `linked`: they have tokens already."""

    readiness: Sequence[float]
    linked: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What the journal of one run says; moments in seconds after the first request."""

    began: float
    """The moment of the first request by the machine's monotonic clock."""
    asked: int
    """How many logins were asked for their document at least once."""
    all_asked: float
    """When the last login was asked for its document for the first time."""
    possible: float
    """When the last document could have been read: its first product call and its readiness."""
    last_delivered: float
    """When the provider answered with the last document."""
    looks: int
    delivered: int
    most_submitted: int
    requests: int


def login_name(number: int) -> str:
    """Return the name of a login at the simulated utility; its key too."""
    return f"user_good+{number}"


def prepare(backend: Backend, fleet: Fleet) -> list[dict[str, Any]]:
    """Make the logins known, and return them as entries of a pasted list."""
    return [_entry(backend, login_name(number), wait, fleet) for number, wait in enumerate(fleet.readiness)]


def _entry(backend: Backend, username: str, wait: float, fleet: Fleet) -> dict[str, Any]:
    if fleet.linked:
        return {"key": username, "access_token": backend.link(username, _story(wait))}
    backend.tell(username, _story(wait))
    return {"key": username, "source_id": ORDINARY.source_id, "username": username, "password": "pass_good"}


def _story(wait: float) -> Story:
    """Connected at the second look; the clock of the data starts with the first product call."""
    login = Stage(CONNECTING, Looks(1)), Stage(EXTRACTING, _UNTIL_FIRST_PRODUCT_CALL)
    return Story("By the clock", (*login, Stage(EXTRACTING, Seconds(wait)), Stage(READY)), sizes=_DOCUMENTS)


def observed(journal: Sequence[Entry], fleet: Fleet) -> Observed:
    """Read the journal of one run."""
    began = journal[0].at
    products = [entry for entry in journal if entry.path == PRODUCT]
    first = {entry.username: entry.at - began for entry in reversed(products)}
    documents = [entry.at - began for entry in products if entry.status == _OK]
    submitted = [entry.username for entry in journal if entry.path == "/link/connect"]
    ready = [first.get(login_name(number), 0.0) + wait for number, wait in enumerate(fleet.readiness)]
    return Observed(
        began=began,
        asked=len(first),
        all_asked=max(first.values()),
        possible=max(ready),
        looks=len(products),
        last_delivered=max(documents, default=0.0),
        delivered=len(documents),
        most_submitted=max(Counter(submitted).values(), default=0),
        requests=len(journal),
    )


class Provider:
    """The simulator while it runs: where it is, which logins it knows, what it was asked."""

    def __init__(self, pipe: Connection) -> None:
        """Wait until the process behind `pipe` answers."""
        self._pipe = pipe
        self.url: str
        self.entries: list[dict[str, Any]]
        self.url, self.entries = pipe.recv()

    def configuration(self, **options: Any) -> dict[str, Any]:
        """Return a configuration without its logins."""
        keys = {"client_id": Simulator.client_id, "secret": Simulator.secret}
        return {"environment": "sandbox", **keys, "api_url": self.url, **options}

    def observed(self) -> Observed:
        """Return what the journal says by now."""
        self._pipe.send("journal")
        found: Observed = self._pipe.recv()
        return found


@contextlib.contextmanager
def provider(fleet: Fleet) -> Iterator[Provider]:
    """Run the simulator in a process of its own, on a free port of this machine."""
    spawning = multiprocessing.get_context("spawn")
    ours, its = spawning.Pipe()
    process = spawning.Process(target=_serve, args=(its, fleet), daemon=True)
    process.start()
    try:
        yield Provider(ours)
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, fleet: Fleet) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    backend = Backend(time.monotonic)
    entries = prepare(backend, fleet)
    with Simulator(backend) as simulator, contextlib.suppress(EOFError):
        pipe.send((simulator.url, entries))
        while pipe.recv() == "journal":
            pipe.send(observed(backend.journal, fleet))
