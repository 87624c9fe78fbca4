"""The bridge between loop and generator: order, acknowledgement, urgency, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future

import pytest

from source_linkless.concurrency.handover import DaemonThreads, Emit, events_of
from source_linkless.concurrency.waiting import pause
from testing.jumping_loop import JumpingLoop

LONG = 10.0
"""Seconds of real time after which a test has failed; none waits that long."""


class Document:
    """Something large whose memory matters."""


def opened(it: Iterator[str]) -> Generator[str, None, None]:
    """Return events as the generator they are, to close it."""
    assert isinstance(it, Generator)
    return it


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever a test does, its threads have ended when it has."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_events_come_in_the_order_emitted() -> None:
    """What the loop's side says in sequence is heard in sequence."""

    async def main(emit: Emit[int]) -> None:
        for number in range(100):
            await emit(number)

    assert list(events_of(main)) == list(range(100))


def test_an_event_crosses_without_a_thread_of_its_own() -> None:
    """Each thread in between would be woken twice for every event; there is the loop's, and the consumer's."""

    async def main(emit: Emit[str]) -> None:
        await emit("event")

    before = threading.active_count()
    assert [threading.active_count() - before for _ in events_of(main)] == [1]


def test_an_event_is_acknowledged_by_asking_for_the_next() -> None:
    """`emit` returns only once the consumer is done with the event: written before waiting."""
    acknowledged: list[str] = []

    async def main(emit: Emit[str]) -> None:
        for name in ("first", "second"):
            await emit(name)
            acknowledged.append(name)

    it = events_of(main)
    seen = [(event, list(acknowledged)) for event in it]
    assert seen == [("first", []), ("second", ["first"])]
    assert acknowledged == ["first", "second"]


def test_an_urgent_event_overtakes_all_that_have_not_begun_to_cross() -> None:
    """At most one ordinary event is ahead of it; urgent ones keep their order."""

    async def main(emit: Emit[str]) -> None:
        ordinary = [asyncio.create_task(emit_it(emit, name)) for name in "abc"]
        await asyncio.sleep(0)
        await asyncio.gather(emit(event="first!", urgent=True), emit("second!", urgent=True), *ordinary)

    async def emit_it(emit: Emit[str], name: str) -> None:
        await emit(name)

    assert list(events_of(main)) == ["a", "first!", "second!", "b", "c"]


def test_a_slow_consumer_stops_the_loop_s_side() -> None:
    """Never more than one event is ahead of the consumer, however many could be."""
    produced: list[int] = []

    async def main(emit: Emit[int]) -> None:
        for number in range(50):
            produced.append(number)
            await emit(number)

    assert all(len(produced) == number + 1 for number in events_of(main))


def test_nothing_keeps_an_event_alive_after_its_turn() -> None:
    """Memory holds the document that the consumer deals with, and no other."""

    async def main(emit: Emit[Document]) -> None:
        for _ in range(3):
            await emit(Document())

    it = events_of(main)
    gone = weakref.ref(next(it))
    second = next(it)
    assert gone() is None
    assert second is not None
    assert len(list(it)) == 1


def test_standard_output_is_flushed_before_waiting() -> None:
    """The consumer's last lines are out before it waits for the loop's side."""
    flushed = threading.Event()

    async def main(emit: Emit[str]) -> None:
        assert flushed.wait(LONG)
        await emit("after the flush")

    assert list(events_of(main, before_waiting=flushed.set)) == ["after the flush"]


def test_an_error_comes_after_the_last_event() -> None:
    """What was emitted is never lost to what went wrong later."""

    async def main(emit: Emit[int]) -> None:
        await emit(1)
        await emit(2)
        raise LookupError("of main")

    it = events_of(main)
    assert [next(it), next(it)] == [1, 2]
    with pytest.raises(LookupError, match="of main"):
        next(it)


def test_the_loop_can_be_brought_along() -> None:
    """Tests run the same code in time that jumps: an hour's pause costs nothing."""
    loops: list[JumpingLoop] = []

    def new_loop() -> JumpingLoop:
        loops.append(JumpingLoop())
        return loops[-1]

    async def main(emit: Emit[float]) -> None:
        await pause(3600)
        await emit(asyncio.get_running_loop().time())

    assert list(events_of(main, new_loop=new_loop)) == [3600]
    assert [loop.is_closed() for loop in loops] == [True]


def endless(ended: Callable[[str], object]) -> Callable[[Emit[str]], Awaitable[None]]:
    """Return a main that emits one event and then waits for ever, beside a task that emits on and on."""

    async def beside(emit: Emit[str]) -> None:
        while True:
            await emit("beside")

    async def main(emit: Emit[str]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                await emit("only one")
                tasks.create_task(beside(emit))
                await asyncio.get_running_loop().create_future()
        finally:
            ended("cancelled")

    return main


@pytest.mark.parametrize("taken", [1, 2, 5])
def test_closing_cancels_main_and_waits_for_its_end(taken: int) -> None:
    """A consumer that stops leaves nothing behind, wherever the loop's side stands."""
    ended: list[str] = []
    it = opened(events_of(endless(ended.append)))
    for _ in range(taken):
        next(it)
    it.close()
    assert ended == ["cancelled"]


def test_an_error_of_the_consumer_ends_main_too() -> None:
    """The error goes on its way, after main has ended."""
    ended: list[str] = []
    it = opened(events_of(endless(ended.append)))
    next(it)
    with pytest.raises(BrokenPipeError):
        it.throw(BrokenPipeError())
    assert ended == ["cancelled"]


def test_what_is_closed_before_it_begins_does_not_begin() -> None:
    """If the very first flush fails while the loop is still being made, main is not run at all."""
    made = threading.Event()
    begun: list[str] = []

    def new_loop() -> asyncio.AbstractEventLoop:
        assert made.wait(LONG)
        return asyncio.new_event_loop()

    async def main(emit: Emit[str]) -> None:
        begun.append("begun")
        await emit("never seen")

    def fail() -> None:
        threading.Timer(0.05, made.set).start()  # while the consumer waits for the end
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        next(events_of(main, new_loop=new_loop, before_waiting=fail))
    assert begun == []


def test_closing_after_the_end_is_no_matter() -> None:
    """An event that nobody acknowledges any more holds nothing up."""

    async def main(emit: Emit[str]) -> None:
        task = asyncio.create_task(beside(emit))
        await asyncio.sleep(0)
        task.cancel()

    async def beside(emit: Emit[str]) -> None:
        await emit("unwanted")

    it = opened(events_of(main))
    assert next(it) == "unwanted"
    it.close()


@pytest.fixture
def two() -> Iterator[DaemonThreads]:
    """At most two threads."""
    threads = DaemonThreads(2, "worker")
    yield threads
    threads.shutdown()


def test_calls_run_beside_each_other_up_to_the_bound(two: DaemonThreads) -> None:
    """Two threads meet; eight calls use no third, and all of them are daemons."""
    together = threading.Barrier(2)
    calls = [two.submit(lambda: (together.wait(LONG), threading.current_thread())[1]) for _ in range(8)]
    threads = {call.result(LONG) for call in calls}
    assert sorted(thread.name for thread in threads) == ["worker-0", "worker-1"]
    assert all(thread.daemon for thread in threads)


def test_an_idle_thread_is_used_again(two: DaemonThreads) -> None:
    """A second thread is only started for a call that would have to wait."""
    release = threading.Event()
    first = two.submit(threading.current_thread).result(LONG)
    busy = [two.submit(release.wait, LONG) for _ in range(2)]
    last = two.submit(threading.current_thread)
    release.set()
    assert [call.result(LONG) for call in busy] == [True, True]
    assert last.result(LONG).name in {"worker-0", "worker-1"}
    assert first.name == "worker-0"


def test_arguments_and_errors_reach_their_places(two: DaemonThreads) -> None:
    """A call gets what was given, and its error belongs to the one who waits for it."""
    assert two.submit(int, "ff", base=16).result(LONG) == 255
    assert isinstance(two.submit(int, "gg", base=16).exception(LONG), ValueError)
    assert two.submit(int, "7").result(LONG) == 7


def test_a_call_that_was_given_up_is_not_made() -> None:
    """A request whose login has ended does not go out."""
    one, release = DaemonThreads(1, "worker"), threading.Event()
    made: list[str] = []
    calls: list[Future[object]] = [one.submit(release.wait, LONG), one.submit(made.append, "given up")]
    assert calls[1].cancel()
    release.set()
    one.submit(made.append, "wanted").result(LONG)
    one.shutdown()
    assert made == ["wanted"]


def test_threads_can_be_let_go_without_waiting() -> None:
    """A busy thread ends when its call has; nobody has to wait for that."""
    one, release = DaemonThreads(1, "worker"), threading.Event()
    call = one.submit(lambda: (release.wait(LONG), threading.current_thread())[1])
    one.shutdown(wait=False)
    release.set()
    call.result(LONG).join(LONG)
