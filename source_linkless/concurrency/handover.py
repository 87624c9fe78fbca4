"""The bridge between the waiting, which runs on an event loop, and the generators that Airbyte consumes.

    main(emit) on a loop in a background thread            the caller's thread
    ------------------------------------------------       ---------------------------------
    await emit(event)  ── waits for its turn ──►           for event in events_of(main): ...
    goes on            ◄── acknowledged ──                 asking for the next event

Asking for the next event acknowledges the last: an `emit` that has returned was really consumed, so *written
before waiting* is an `await`, and a reader that is slow (or whose standard output is blocked) stops the fetching.
"""

import asyncio
import contextlib
import queue
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)
NewLoop = Callable[[], asyncio.AbstractEventLoop]


class Emit(Protocol[E_contra]):
    """Hand an event to the consumer and return when it was consumed."""

    def __call__(self, event: E_contra, *, urgent: bool = False) -> Awaitable[None]:
        """Hand over `event`; an `urgent` one overtakes all that have not begun to cross."""


class DaemonThreads(Executor):
    """At most `threads` threads, which never hold up the end of the process; each is started when first needed.

    The threads of `concurrent.futures.ThreadPoolExecutor` are joined when the interpreter exits, which would
    then wait for a read of up to two minutes.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._most, self._name = threads, name
        self._idle = threading.Semaphore(0)
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call in one of the threads; see `concurrent.futures.Executor.submit`.

        Where the system allows no more threads, those that run do the work. Raises RuntimeError when there is none yet;
        the call is then never made.
        """
        if len(self._threads) < self._most and not self._idle.acquire(blocking=False):
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            try:
                thread.start()
                self._threads.append(thread)
            except RuntimeError:
                if not self._threads:
                    raise
        future: Future[Any] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as inherited
        """End the threads when all that was submitted is done; see `concurrent.futures.Executor.shutdown`."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - raised again where the future is awaited
                    future.set_exception(error)
            del job, future, call  # an idle thread must not keep the last document alive
            self._idle.release()


class _Background(Executor, Generic[E]):
    """`main` on an event loop in a thread of its own; calls of this executor end once their event was consumed."""

    def __init__(self, main: Callable[[Emit[E]], Awaitable[None]], new_loop: NewLoop | None) -> None:
        self.crossing: queue.SimpleQueue[tuple[Future[None], Callable[[], E]] | None] = queue.SimpleQueue()
        """What is to be consumed; None is the end."""
        self._main, self._new_loop = main, new_loop
        self._ordinary, self._door = asyncio.Lock(), asyncio.Lock()
        self._cancel: Callable[[], object] = lambda: None
        self._is_wanted = True
        self._thread = DaemonThreads(1, "waiting")
        self.done = self._thread.submit(self._run)
        self.done.add_done_callback(lambda _: self.crossing.put(None))

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            runner.run(self._body())

    async def _body(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is not None:
            self._cancel = partial(loop.call_soon_threadsafe, task.cancel)
        if self._is_wanted:  # else stopped before there was anything to cancel
            await self._main(self._emit)

    async def _emit(self, event: E, *, urgent: bool = False) -> None:
        # At most one ordinary event at a time is at the door, so that an urgent one waits for no more than that.
        async with contextlib.nullcontext() if urgent else self._ordinary, self._door:
            await asyncio.get_running_loop().run_in_executor(self, lambda: event)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        consumed: Future[None] = Future()
        consumed.set_running_or_notify_cancel()  # an event that has begun to cross is consumed
        self.crossing.put((consumed, partial(fn, *args, **kwargs)))
        return consumed

    def stop(self) -> None:
        """Wait for the end of `main`; cancel it first if it has not come to its own."""
        if sys.is_finalizing():
            return  # the process is ending and no other thread runs any more: waiting would never end
        self._is_wanted = False
        if not self.done.done():
            with contextlib.suppress(RuntimeError):  # the loop has just been closed by itself
                self._cancel()
            while (left := self.crossing.get()) is not None:
                left[0].set_result(None)  # lets go who still waits for an acknowledgement
        self._thread.shutdown()


def events_of(
    main: Callable[[Emit[E]], Awaitable[None]],
    *,
    new_loop: NewLoop | None = None,
    before_waiting: Callable[[], object] = lambda: None,
) -> Iterator[E]:
    """Run `main` on an event loop in a background thread and yield what it emits, in order.

    `before_waiting` is called whenever there is nothing to yield yet: the place to flush standard output. What
    `main` raises is raised here after its last event. Closing the iterator cancels `main` and waits for its end.
    """
    background = _Background(main, new_loop)
    crossing = background.crossing
    try:
        while True:
            if crossing.empty():
                before_waiting()
            if (item := crossing.get()) is None:
                break
            consumed, event = item[0], item[1]()
            del item
            yield event
            del event  # a document must not outlive its turn
            consumed.set_result(None)
        background.done.result()
    finally:
        background.stop()
