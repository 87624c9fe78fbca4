"""How to wait: the pacing law, the retries, one rate for all, one deadline for all; in time that jumps."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.concurrency.waiting import Deadline, Pace, RateLimit, every, pause, pause_before_retry, time
from testing.fuzzing import examples
from testing.jumping_loop import JumpingLoop, in_jumping_time

A_LITTLE = 1e-6

seconds = st.floats(0.0, 86_400.0)
intervals = st.floats(0.05, 60.0)
rates = st.floats(0.1, 50.0)


def grants(per_second: float, *asks: tuple[float, str]) -> list[tuple[str, float]]:
    """Ask for turns, each at its moment and by its name; return the names in the order served, with the moments.

    The first word of a name may say how it asks: `first` or `later`.
    """
    served: list[tuple[str, float]] = []

    async def ask(limit: RateLimit, moment: float, name: str) -> None:
        await pause(moment)
        await limit.take(first=name.startswith("first"), later=name.startswith("later"))
        served.append((name, round(time(), 6)))

    async def main() -> None:
        limit = RateLimit(per_second)
        await asyncio.gather(*(ask(limit, moment, name) for moment, name in asks))

    in_jumping_time(main())
    return served


@examples(100)
@given(seconds, st.integers(1, 100_000), intervals, rates)
def test_a_pause_keeps_to_its_bounds(age: float, waiting: int, interval: float, rate: float) -> None:
    """Never shorter than the poll interval; else at most a fifth of the age, and what the rate leaves for each.

    The pause between two polls of the product is 5 % of the age, up to a minute, where that is longer.
    """
    pace = Pace(interval, rate)
    wait = pace.between_status_polls(age, waiting)
    assert interval <= wait <= max(interval, min(0.2 * age, waiting / rate))
    assert pace.between_product_polls(age, waiting) == max(wait, min(0.05 * age, 60.0))


@examples(100)
@given(st.floats(0.1, 3600.0), st.integers(1, 100_000), intervals, rates)
def test_a_document_is_found_soon_after_it_is_ready(ready: float, waiting: int, interval: float, rate: float) -> None:
    """Whenever a connection becomes ready, the next poll comes within a fifth of its wait or one poll interval."""
    pace, now = Pace(interval, rate), 0.0
    while now < ready:
        now += pace.between_product_polls(now, waiting)
    assert now <= ready + max(interval, 0.2 * ready) + A_LITTLE


@pytest.mark.parametrize(
    ("age", "waiting", "expected"),
    [(0, 1, 5), (20, 1000, 5), (60, 1000, 12), (600, 1000, 120), (3600, 1000, 200), (3600, 10, 5)],
)
def test_status_polls_follow_the_guide_as_far_as_the_rate_allows(age: float, waiting: int, expected: float) -> None:
    """A few connections are polled every 5 s however long it takes; many share the rate."""
    assert Pace(poll_interval=5, rate=5).between_status_polls(age, waiting) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("age", "waiting", "expected"),
    [(0, 1, 5), (100, 1, 5), (200, 1, 10), (1200, 1, 60), (3600, 20, 60), (600, 1000, 120), (3600, 1000, 200)],
)
def test_product_polls_back_off_with_the_age(age: float, waiting: int, expected: float) -> None:
    """By 5 % of the time waited, up to a minute, for one connection as for a thousand."""
    assert Pace(poll_interval=5, rate=5).between_product_polls(age, waiting) == pytest.approx(expected)


@pytest.mark.parametrize(("failures", "expected"), [(1, 1), (2, 2), (3, 4), (4, None), (9, None)])
def test_retries_pause_longer_each_time_and_end(failures: int, expected: float | None) -> None:
    """Four attempts, with doubling pauses between them."""
    assert pause_before_retry(failures, chance=1.0) == expected


@examples(100)
@given(st.integers(1, 3), st.floats(0.0, 1.0))
def test_jitter_stays_between_the_half_and_the_whole(failures: int, chance: float) -> None:
    """Those who failed together come back at different times, never at once and never after the longest pause."""
    usual = 2.0 ** (failures - 1)
    wait = pause_before_retry(failures, chance)
    assert wait is not None
    assert usual / 2 <= wait <= usual


def test_requests_go_in_the_order_of_asking() -> None:
    """No request is served twice before each was served once, and each is a gap after the one before."""
    asks = [(0.0, name) for name in "abcde"]
    assert grants(4, *asks) == [("a", 0), ("b", 0.25), ("c", 0.5), ("d", 0.75), ("e", 1.0)]


def test_a_login_that_was_begun_is_finished_first() -> None:
    """What stands between submission and token overtakes all that waits, in its own order of asking."""
    asks = [(0.0, "a"), (0.0, "b"), (0.0, "c"), (0.1, "first 1"), (0.2, "first 2")]
    assert [name for name, _ in grants(4, *asks)] == ["a", "first 1", "first 2", "b", "c"]


def test_later_requests_only_use_what_is_left() -> None:
    """They wait for everybody else, those who ask after them included."""
    asks = [(0.0, "a"), (0.0, "later 1"), (0.0, "later 2"), (0.1, "b"), (0.4, "c")]
    assert [name for name, _ in grants(4, *asks)] == ["a", "b", "c", "later 1", "later 2"]


def test_a_later_request_waits_for_nobody_when_nobody_asks() -> None:
    """It is served at once, like any other."""
    assert grants(4, (7.0, "later")) == [("later", 7.0)]


def test_who_gives_up_costs_the_others_no_time() -> None:
    """A turn that was given up at the deadline is not counted."""
    served: list[float] = []

    async def main() -> None:
        limit = RateLimit(1)
        tasks = [asyncio.create_task(limit.take()) for _ in range(4)]
        for task in tasks:
            task.add_done_callback(lambda _: served.append(time()))
        await pause(0.5)
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    in_jumping_time(main())
    assert served == [0, 0.5, 0.5, 1]


def test_after_a_rest_few_requests_go_at_once() -> None:
    """At 8 per second none, at 100 six; the others keep their distance."""
    asks = [(10.0, name) for name in "abcdefgh"]
    assert [moment for _, moment in grants(8, *asks)][:3] == [10, 10.125, 10.25]
    assert [moment for _, moment in grants(100, *asks)] == [*[10] * 6, 10.01, 10.02]


@examples(60)
@given(st.floats(0.1, 400.0), st.lists(st.floats(0.0, 20.0), min_size=2, max_size=40), st.integers(1, 20))
def test_the_rate_is_exceeded_by_a_tenth_at_most(rate: float, moments: list[float], each: int) -> None:
    """In no second do more requests go than 1.1 times the limit; below ten per second, than the limit rounded up."""
    times = [moment for _, moment in grants(rate, *((moment, "one") for moment in moments for _ in range(each)))]
    for begin, first in enumerate(times):
        assert sum(1 for moment in times[begin:] if moment < first + 1 - 0.001) <= max(1.1 * rate, math.ceil(rate))


@examples(60)
@given(rates, st.lists(st.floats(0.0, 20.0), min_size=2, max_size=40))
def test_no_turn_is_wasted(rate: float, moments: list[float]) -> None:
    """While anybody waits, the distance between two requests is at most the usual one."""
    served = grants(rate, *((moment, str(moment)) for moment in moments))
    for (_, before), (asked, now) in pairwise(served):
        assert now <= max(before + 1 / rate, float(asked)) + 0.001


def held(slow: Callable[[RateLimit], Coroutine[Any, Any, None]], requests: int, endpoint: str = "") -> list[float]:
    """Return when the first requests go after `slow`, at 10 per second."""
    served: list[float] = []

    async def main() -> None:
        limit = RateLimit(10)
        await slow(limit)
        for _ in range(requests):
            await limit.take(endpoint)
            served.append(round(time(), 6))

    in_jumping_time(main())
    return served


def test_slowing_down_holds_one_endpoint_and_halves_the_pace_of_all() -> None:
    """The endpoint is asked again after the pause that it asked for; the others go on at half the pace."""

    async def slow(limit: RateLimit) -> None:
        await limit.take("/slow")
        limit.slow_down("/slow", 30)

    assert held(slow, 3, "/slow") == [30, 30.2, 30.4]
    assert held(slow, 3, "/other") == [0.1, 0.3, 0.5]


def test_slowing_down_together_counts_once() -> None:
    """Answers to requests that were under way together say the same thing: the longest pause, one halving."""

    async def slow(limit: RateLimit) -> None:
        for seconds in (30, 40, 10, None):
            limit.slow_down("", seconds)

    assert held(slow, 3) == [40, 40.2, 40.4]


def test_without_a_pause_of_the_provider_the_holds_grow() -> None:
    """2, 4, 8 seconds and so on up to a minute; an answer of the endpoint ends the series."""

    async def main() -> list[int]:
        limit, waits = RateLimit(10), []
        for n in range(9):
            if n == 7:
                limit.went_well("/slow")
            limit.slow_down("/slow")
            before = time()
            await limit.take("/slow")
            waits.append(round(time() - before))
        return waits

    assert in_jumping_time(main()) == [2, 4, 8, 16, 32, 60, 60, 2, 4]


def test_slowing_down_has_an_end() -> None:
    """However often the provider refuses, the pace never falls below a sixteenth."""

    async def slow(limit: RateLimit) -> None:
        for _ in range(10):
            limit.slow_down("", 1)
            await pause(1)

    assert held(slow, 3) == [10, 11.6, 13.2]


def test_answers_bring_the_usual_pace_back() -> None:
    """A little with each answer, and never beyond the usual pace."""

    async def slow(limit: RateLimit) -> None:
        limit.slow_down("", 1)
        for _ in range(100):
            limit.went_well()

    assert held(slow, 3) == [1, 1.1, 1.2]


def test_slowing_down_reaches_requests_that_wait_already() -> None:
    """Requests to the endpoint that stood in the queue are held; they cost the others behind them no turn."""
    served: list[tuple[str, float]] = []

    async def main() -> None:
        limit = RateLimit(1)

        async def ask(endpoint: str) -> None:
            await limit.take(endpoint)
            served.append((endpoint, time()))

        waiting = [asyncio.create_task(ask(endpoint)) for endpoint in ("slow", "slow", "slow", "other")]
        await pause(0.5)
        limit.slow_down("slow", 10)
        await asyncio.gather(*waiting)

    in_jumping_time(main())
    assert served == [("slow", 0), ("other", 1), ("slow", 10.5), ("slow", 12.5)]


def test_the_deadline_tells_what_is_left() -> None:
    """Seconds until it comes, and none after it."""

    async def main() -> list[float]:
        deadline = Deadline(60)
        left = [deadline.left()]
        for seconds in (45, 45):
            await pause(seconds)
            left.append(deadline.left())
        return left

    assert in_jumping_time(main()) == [60, 15, 0]


async def met(deadline: Deadline, action: Awaitable[Any] | None = None) -> str:
    """Tell how a block under the deadline ends, and when."""
    try:
        async with deadline.applied():
            await (action if action is not None else asyncio.get_running_loop().create_future())
    except TimeoutError:
        return f"struck at {time():g}"
    return f"done at {time():g}"


def test_the_deadline_ends_every_wait_at_one_moment() -> None:
    """Waits that began at different times end together; one that is done before is left alone."""

    async def main() -> list[str]:
        deadline = Deadline(60)

        async def begins(moment: float) -> str:
            await pause(moment)
            return await met(deadline)

        return list(await asyncio.gather(begins(0), begins(59), met(deadline, pause(10))))

    assert in_jumping_time(main()) == ["struck at 60", "struck at 60", "done at 10"]


def test_one_timer_ends_every_wait() -> None:
    """What a waiting login takes is what ten thousand take: none has a timer of its own."""

    class Loop(JumpingLoop):
        timers = 0

        def call_at(  # type: ignore[override] # typeshed ties the arguments to those of `callback`
            self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
        ) -> asyncio.TimerHandle:
            self.timers += 1
            return super().call_at(when, callback, *args, context=context)

    async def main() -> int:
        deadline = Deadline(60)
        await asyncio.gather(*(met(deadline) for _ in range(100)))
        return loop.timers

    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main()) == 1


def test_a_wait_that_begins_after_the_deadline_does_not_begin() -> None:
    """The block is not entered at all, so nothing in it is sent."""
    entered: list[bool] = []

    async def main() -> bool:
        deadline = Deadline(60)
        await pause(60)
        with pytest.raises(TimeoutError):
            async with deadline.applied():
                entered.append(True)
        return deadline.left() == 0

    assert in_jumping_time(main()) is True
    assert entered == []


def test_the_deadline_can_be_brought_forward_for_all() -> None:
    """Refused keys end every wait at once, those to come included, and a second time does no harm."""

    async def main() -> tuple[bool, list[str]]:
        deadline = Deadline(3600)
        waiting = [asyncio.create_task(met(deadline)) for _ in range(2)]
        done = asyncio.create_task(met(deadline, pause(5)))
        await pause(7)
        before = deadline.left() == 0
        deadline.strike_now()
        deadline.strike_now()
        return before, [*await asyncio.gather(*waiting), await done, await met(deadline)]

    assert in_jumping_time(main()) == (False, ["struck at 7", "struck at 7", "done at 5", "struck at 7"])


def test_something_is_done_every_so_often() -> None:
    """The pause begins when the action before has ended; an exception of one action costs no other."""
    done: list[float] = []

    async def action() -> None:
        done.append(time())
        await pause(5)
        raise LookupError

    async def main() -> None:
        with every(10, action):
            await pause(41)
        await pause(41)

    in_jumping_time(main())
    assert done == [10, 25, 40]
