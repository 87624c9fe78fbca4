"""How to wait: policies as small values, one shared rate limit, one deadline. Nothing else in the package sleeps.

All time here is the event loop's (`loop.time()`), in seconds: a test runs the same code on a loop whose clock
jumps, and ten thousand waiting logins cost no thread.
"""

import asyncio
import contextlib
import heapq
import itertools
import math
import weakref
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

pause = asyncio.sleep
_ATTEMPTS = 4  # of a request that may be repeated
_HELD_SECONDS = 1.0  # how often a deadline that is held when its time has come looks again


def time() -> float:
    """Return the running event loop's time in seconds."""
    return asyncio.get_running_loop().time()


class Pace(NamedTuple):
    """How long to pause between two polls of one waiting connection, in seconds.

    `poll_interval` is the shortest pause; `rate` is how many polls per second all waiting connections may use together.

    Polls of the status come every `poll_interval`, as the provider's guide asks. Polls of the product back off: their
    pause is a small share of the time already waited. Doubling pauses would make a wait 38 % longer (measured).
    When many connections wait, the shared rate sets both pauses, and they shrink again when few are left.
    """

    poll_interval: float
    rate: float

    def between_status_polls(self, age: float, waiting: int) -> float:
        """Return the pause for a connection that has waited `age` seconds for its status, among `waiting` ones."""
        return max(self.poll_interval, min(0.2 * age, waiting / self.rate))

    def between_product_polls(self, age: float, waiting: int) -> float:
        """Return the pause for a connection that has waited `age` seconds for its data, among `waiting` ones."""
        return max(min(0.05 * age, 60.0), self.between_status_polls(age, waiting))


def pause_before_retry(failures: int, chance: float) -> float | None:
    """Return the seconds until the next attempt after `failures` failed ones, or None to give up after four.

    The pauses double. `chance`, a number between 0 and 1, makes each between a half and the whole of its usual length,
    so that connections which failed together do not come back together.
    """
    return None if failures >= _ATTEMPTS else 2.0 ** (failures - 1) * (0.5 + chance / 2)


_Turn = tuple[int, int, asyncio.Future[bool], str]


class RateLimit:
    """A token bucket in front of every request: those that go `first`, then the others in the order of asking.

    A login that was begun is finished before the next one begins, or a thousand of them would wait for each other
    between submission and token. `later` requests use only what is left. In any second after a rest at most 1.1 times
    the limit is sent: enough to make up for late wake-ups, too little for a burst.

    A request for a document also waits until one of the `places` in memory is free, without delaying the others. A
    place is held from the first byte of an answer until the document was consumed. A request without an answer holds
    none, so that one that hangs delays no other connection; its document is held beyond the limit if need be.

    An endpoint that answers 429 is held, and all requests go at half the pace afterwards.
    """

    _SLOWEST = 16
    _LONGEST_HOLD = 60.0

    def __init__(self, per_second: float, places: int = 16) -> None:
        self._usual_gap = self._gap = 1 / per_second
        self._depth = min(0.05, max(0.0, 0.08 - self._gap))  # seconds of unused turns that can be made up for
        self.places = places
        """Free places for documents; below 0 when requests that were under way together were answered."""
        self._next = 0.0
        self._plain: list[_Turn] = []
        self._for_documents: list[_Turn] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._held_until: dict[str, float] = defaultdict(float)
        self._refusals: dict[str, int] = defaultdict(int)

    async def take(
        self, endpoint: str = "", *, first: bool = False, later: bool = False, needs_place: bool = False
    ) -> None:
        """Wait until one more request may be sent to an endpoint."""
        queue = self._for_documents if needs_place else self._plain
        while True:
            while (wait := self._held_until[endpoint] - time()) > 0:
                await pause(wait)
            turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            heapq.heappush(queue, (later - first, next(self._numbers), turn, endpoint))
            self.serve()
            if await turn:
                return

    def serve(self) -> None:
        """Give turns to the requests that are due, and set the timer for the next."""
        while self._timer is None and (queue := self._queue_of_next()):
            if (wait := self._next - time()) > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._serve_later)
                return
            _, _, turn, endpoint = heapq.heappop(queue)
            is_free = self._held_until[endpoint] <= time()
            if is_free:
                self._next = max(self._next, time() - self._depth) + self._gap
            turn.set_result(is_free)

    def _serve_later(self) -> None:
        self._timer = None
        self.serve()

    def _queue_of_next(self) -> list[_Turn] | None:
        """Return the queue whose head goes next; heads that were given up, at the deadline, are dropped."""
        for queue in (self._plain, self._for_documents):
            while queue and queue[0][2].done():
                heapq.heappop(queue)
        queues = [queue for queue in (self._plain, self._for_documents if self.places > 0 else None) if queue]
        return min(queues, key=lambda queue: queue[0][:2], default=None)

    def slow_down(self, endpoint: str = "", seconds: float | None = None) -> None:
        """Hold an endpoint that answered 429 for the `seconds` it asked for, and halve the pace of all requests.

        Without `seconds` the hold lasts 2, 4, 8, … at most 60 seconds. Answers to requests that were under way together
        count once.
        """
        if self._held_until[endpoint] <= time():
            self._refusals[endpoint] += 1
            self._gap = min(self._gap * 2, self._usual_gap * self._SLOWEST)
        hold = min(self._LONGEST_HOLD, 2.0 ** self._refusals[endpoint]) if seconds is None else seconds
        self._held_until[endpoint] = max(self._held_until[endpoint], time() + hold)

    def went_well(self, endpoint: str = "") -> None:
        """Note an answer of an endpoint; each brings the usual pace a little nearer."""
        self._refusals.pop(endpoint, None)
        self._gap = max(self._usual_gap, self._gap * 0.95)


class Deadline:
    """One moment that ends every wait of a run, `seconds` from now, or for all of them at once when it is struck.

    Time in which it is held does not count. One timer ends all waits, as one for each of thousands would be megabytes.
    """

    def __init__(self, seconds: float) -> None:
        self._when = time() + seconds
        self._holds = 0
        self._held_since = 0.0
        self._waits: weakref.WeakSet[asyncio.Timeout] = weakref.WeakSet()
        self._watch()

    def applied(self) -> asyncio.Timeout:
        """Raise TimeoutError in the block when the deadline comes, before the block if it has passed."""
        if self.left() <= 0:
            raise TimeoutError
        wait = asyncio.timeout_at(None)
        self._waits.add(wait)
        return wait

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Move the deadline back by as long as the block takes; blocks that overlap count once."""
        if not self._holds:
            self._held_since = time()
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._when += time() - self._held_since

    def left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self._when - (self._held_since if self._holds else time()))

    def strike_now(self) -> None:
        """End every wait of the run at once, those to come included."""
        self._when = -math.inf
        for wait in tuple(self._waits):
            with contextlib.suppress(RuntimeError):  # that wait has just ended by itself
                wait.reschedule(time())

    def _watch(self) -> None:
        """Strike if the time has come; else look again when it may have."""
        if self.left() <= 0 and not self._holds:
            self.strike_now()
        else:
            asyncio.get_running_loop().call_later(self.left() or _HELD_SECONDS, self._watch)


@contextlib.contextmanager
def every(seconds: float, action: Callable[[], Awaitable[object]]) -> Iterator[None]:
    """Call `action` each `seconds` beside the block; an exception of it costs nothing else: it is dropped."""

    async def repeat() -> None:
        while True:
            await pause(seconds)
            with contextlib.suppress(Exception):
                await action()

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
