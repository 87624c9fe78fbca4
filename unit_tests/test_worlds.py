"""The loop whose clock jumps: what the other tests believe about virtual time is true."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from source_linkless.concurrency.waiting import pause, time
from testing.jumping_loop import in_jumping_time
from testing.worlds import World

DAY = 86_400.0


def test_a_pause_has_its_exact_length() -> None:
    """A day passes at once, and the clock has then moved by a day."""

    async def main() -> list[float]:
        seen = [time()]
        for _ in range(3):
            await pause(DAY)
            seen.append(time())
        return seen

    assert in_jumping_time(main()) == [0, DAY, 2 * DAY, 3 * DAY]


def test_the_shortest_pause_ends_first() -> None:
    """Pauses overlap as they would in real time."""
    ended: list[tuple[str, float]] = []

    async def one(name: str, seconds: float) -> None:
        await pause(seconds)
        ended.append((name, time()))

    async def main() -> None:
        await asyncio.gather(one("long", 3600), one("short", 0.25), one("middle", 60))

    in_jumping_time(main())
    assert ended == [("short", 0.25), ("middle", 60), ("long", 3600)]


def test_a_timeout_strikes_in_virtual_time() -> None:
    """An hour's limit is met after an hour, however long the thing would have taken."""

    async def main() -> float:
        try:
            async with asyncio.timeout(3600):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return time()
        raise AssertionError

    assert in_jumping_time(main()) == 3600


def test_the_clock_stands_still_while_a_thread_works() -> None:
    """A pause that began beside a request does not end before the request, which takes no virtual time."""
    paused = threading.Event()

    async def main(pool: ThreadPoolExecutor) -> tuple[bool, float]:
        waiting = asyncio.create_task(pause(DAY))
        work = asyncio.get_running_loop().run_in_executor(pool, paused.wait)
        asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(paused.set))
        await work
        ended_together, now = waiting.done(), time()
        await waiting
        return ended_together, now

    with ThreadPoolExecutor(1) as pool:
        assert in_jumping_time(main(pool)) == (False, 0)


def test_time_goes_on_from_run_to_run() -> None:
    """Every run starts a loop of its own at 0; the world's clock adds them up, with the time between runs."""
    world = World(latency=2.0)
    config = world.read(world.config(username="instant")).config
    assert config is not None
    first = world.seconds()
    world.pass_time(DAY)
    assert world.seconds() == first + DAY
    world.read(config)
    assert first + DAY < world.seconds() < first + DAY + 60
    assert [entry.at for entry in world.backend.journal] == sorted(entry.at for entry in world.backend.journal)
