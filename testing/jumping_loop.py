"""Virtual time: an event loop whose clock moves to the next timer as soon as nothing else can run.

Hours of waiting pass in milliseconds, and every pause still has its exact length. While another thread has work to
do for the loop (a request in the thread pool, an event that the consumer looks at) the clock stands still.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    loop: JumpingLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None or self.loop.busy_elsewhere:
            real: list[tuple[selectors.SelectorKey, int]] = super().select(None)
            return real
        self.loop.now += timeout
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; `now` is its clock in seconds."""

    def __init__(self) -> None:
        """Start at the time 0."""
        self.now = 0.0
        self.busy_elsewhere = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.now

    def run_in_executor(  # type: ignore[override] # typeshed ties the arguments to those of `func`
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        """Run a call in a thread; the clock stops until it has ended."""
        future = super().run_in_executor(executor, func, *args)
        self.busy_elsewhere += 1
        future.add_done_callback(self._back)
        return future

    def _back(self, _future: object) -> None:
        self.busy_elsewhere -= 1


def in_jumping_time(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a jumping loop that starts at the time 0."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)
