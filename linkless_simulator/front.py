"""The simulator behind a faulty network: faults on the wire, armed for the next requests to a path.

    with Front() as front:
        front.arm("reset_halfway", "/link/connect", processed=True)
        ... the option api_url is front.url ...
        assert front.elsewhere.seen == []

Another host listens beside it. Redirects lead there, and it keeps every request that it gets.
"""

from dataclasses import dataclass, replace
from threading import Lock
from typing import Self

from linkless_simulator.answers import Answer
from linkless_simulator.backend import Backend
from linkless_simulator.faults import Planned
from linkless_simulator.server import Simulator
from linkless_simulator.wire import End, Wire, plain
from linkless_simulator.wire_faults import STAND_IN, WIRE_FAULTS, Setting


class Elsewhere(Simulator):
    """Another host that accepts every request; `seen` holds them whole. No request may ever reach it."""

    def __init__(self) -> None:
        """Prepare; nothing is opened before `start`."""
        super().__init__()
        self.seen: list[str] = []

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Wire:
        """Note the request and answer an empty object."""
        self.seen.append(f"{method} {path} {headers} {body!r}")
        return plain(Answer(200, body=b"{}"))


@dataclass(slots=True)
class _Armed:
    name: str
    path: str
    times: int
    processed: bool


class Front(Simulator):
    """A simulator whose wire can be damaged; a context manager. `setting` says how large and how slow."""

    def __init__(
        self, backend: Backend | None = None, setting: Setting | None = None, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Prepare; nothing is opened before `start`."""
        super().__init__(backend, host=host, port=port)
        self.elsewhere = Elsewhere()
        self._setting = setting or Setting()
        self._armed: list[_Armed] = []
        self._last_path: str | None = None
        self._lock = Lock()

    def start(self) -> Self:
        """Open the port, and that of the other host."""
        self.elsewhere.start()
        self._setting = replace(self._setting, elsewhere=self.elsewhere.url.removesuffix("/api/v1"))
        return super().start()

    def stop(self) -> None:
        """Close both."""
        super().stop()
        self.elsewhere.stop()

    def arm(self, name: str, path: str, *, times: int = 1, processed: bool = False) -> None:
        """Let a fault meet the next `times` requests to `path`, in the order of arming.

        `processed`: the requests are carried out and only the answer is faulty; without it the provider does nothing.
        A fault that changes a true answer needs one. Raises KeyError for a name that is not in the table.
        """
        whole = processed or WIRE_FAULTS[name].needs_answer
        with self._lock:
            self._armed.append(_Armed(name, path, times, whole))

    def is_slow(self, path: str) -> bool:
        """Tell whether the next request to `path` meets a fault that takes time."""
        with self._lock:
            armed = next((one for one in self._armed if one.path == path), None)
            return armed is not None and WIRE_FAULTS[armed.name].kind == "slow"

    def disarm(self) -> None:
        """Mend the line, and listen again."""
        with self._lock:
            self._armed, self._last_path = [], None
        self.hear()

    def refuse_after(self, path: str) -> None:
        """Answer the next request to `path`, then refuse every connection until `disarm`."""
        self._last_path = path

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Wire:
        """Answer one request, through the fault that waits for it if there is one."""
        armed = self._next(path)
        if armed is None:
            return self._maybe_last(path, super().respond(method, path, headers, body))
        stand_in = None if armed.processed else Planned(path, STAND_IN)
        answer = self.backend.answer_as(stand_in, method, path, headers, body)
        return WIRE_FAULTS[armed.name].wire(answer, self._setting)

    def _next(self, path: str) -> _Armed | None:
        with self._lock:
            armed = next((one for one in self._armed if one.path == path), None)
            if armed is not None:
                armed.times -= 1
                self._armed = [one for one in self._armed if one.times > 0]
            return armed

    def _maybe_last(self, path: str, wire: Wire) -> Wire:
        if path != self._last_path:
            return wire
        self.deafen()
        return replace(wire, end=End.CLOSED)
