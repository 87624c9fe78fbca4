"""How to wait: policies as small values, one shared rate limit, one deadline. Nothing else in the package sleeps.

All time here is the event loop's (`loop.time()`), in seconds: a test runs the same code on a loop whose clock
jumps, and ten thousand waiting logins cost no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import weakref
from collections.abc import Callable
from dataclasses import dataclass

pause = asyncio.sleep


def time() -> float:
    """Return the running event loop's time in seconds."""
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to leave a waiting connection alone between two looks.

    The pause grows with the age of the wait but stays small against it, and goes down when few are left, so that
    the looks which the others no longer need go to the slowest. Doubling pauses would cost 38 % (measured).
    """

    poll_interval: float
    """Shortest pause in seconds."""
    rate: float
    """Looks per second that all waiting connections may use together."""
    share: float = 0.2
    """Longest pause as a share of the time already waited."""

    def pause(self, age: float, waiting: int) -> float:
        """Return the pause in seconds for a connection that has waited `age` seconds among `waiting` ones."""
        return max(self.poll_interval, min(self.share * age, waiting / self.rate))


@dataclass(frozen=True, slots=True)
class Retries:
    """Growing pauses, with jitter, between the attempts of a request that may be repeated."""

    attempts: int = 4
    first: float = 1.0
    longest: float = 30.0

    def pause(self, failures: int, chance: float) -> float | None:
        """Return the seconds until the next attempt after `failures` failed ones, or None to give up.

        `chance` is a number between 0 and 1; the pause is between a half and the whole of its usual length, so
        that connections which failed together do not come back together.
        """
        if failures >= self.attempts:
            return None
        return min(self.longest, self.first * 2.0 ** (failures - 1)) * (0.5 + chance / 2)


class RateLimit:
    """A token bucket in front of every request: those that go `first`, then the others in the order of asking.

    A login that was begun is finished before the next begins, or a thousand of them would wait for one another
    between submission and token; `later` requests only use what is left. The bucket is at most a quarter of a
    second deep: enough to make up for a late wake-up, too little for a burst.
    """

    _DEPTH = 0.25
    _SLOWEST = 16

    def __init__(self, per_second: float) -> None:
        """Allow `per_second` requests per second over all connections."""
        self._usual_gap = self._gap = 1 / per_second
        self._next = 0.0
        self._held_until = 0.0
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, *, first: bool = False, later: bool = False) -> None:
        """Wait until one more request may be sent."""
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (later - first, next(self._numbers), turn))
        if self._timer is None:
            self._serve()
        await turn

    def _serve(self) -> None:
        """Let go whose turn has come, and come back for the next."""
        self._timer = None
        while self._queue:
            if (wait := self._next - time()) > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._serve)
                return
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():  # else given up, at the deadline
                self._next = max(self._next, time() - self._DEPTH) + self._gap
                turn.set_result(None)

    def slow_down(self, seconds: float) -> None:
        """Hold every request for `seconds` and go at half the pace afterwards; called when the provider says so."""
        now = time()
        if now >= self._held_until:
            self._gap = min(self._gap * 2, self._usual_gap * self._SLOWEST)
        self._held_until = max(self._held_until, now + seconds)
        self._next = max(self._next, self._held_until)

    def went_well(self) -> None:
        """Find back to the usual pace, a little with every request that was answered."""
        self._gap = max(self._usual_gap, self._gap * 0.95)


class Deadline:
    """One moment that ends every wait of a run, and that can be brought forward for all of them at once."""

    def __init__(self, seconds: float) -> None:
        """End all waits `seconds` from now: by one timer, as one for each of thousands would be megabytes."""
        self._when = time() + seconds
        self._waits: weakref.WeakSet[asyncio.Timeout] = weakref.WeakSet()
        asyncio.get_running_loop().call_at(self._when, self.strike_now)

    def applied(self) -> asyncio.Timeout:
        """Raise TimeoutError in the block when the deadline comes, before the block if it has passed."""
        if self.is_over():
            raise TimeoutError
        wait = asyncio.timeout_at(None)
        self._waits.add(wait)
        return wait

    def is_over(self) -> bool:
        """Tell whether the deadline has passed."""
        return time() >= self._when

    def left(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self._when - time())

    def strike_now(self) -> None:
        """End every wait of the run at once, those to come included."""
        self._when = time()
        for wait in tuple(self._waits):
            with contextlib.suppress(RuntimeError):  # that wait has just ended by itself
                wait.reschedule(self._when)


async def every(seconds: float, action: Callable[[], object]) -> None:
    """Call `action` each `seconds`, until cancelled; what it returns is awaited if it can be."""
    while True:
        await pause(seconds)
        done = action()
        if asyncio.iscoroutine(done):
            await done
