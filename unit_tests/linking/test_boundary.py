"""Whatever is raised for one login, in a task beside the logins or in the test of the keys: the others are read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from linkless_simulator.bills import Sizes
from linkless_simulator.situations import EXTRACTING, READY
from linkless_simulator.stages import Seconds, Stage
from linkless_simulator.story import Story
from source_linkless import SourceLinkless
from source_linkless.config import Config, Links, parse_config
from source_linkless.linking import sync_all
from source_linkless.linking.events import Delivered, Event, Finished, Progress
from source_linkless.provider.transport import Answer, Request, Transport
from testing.worlds import Sync, World, catalog_of

KEYS, TOKEN, CONNECT = "/test/api_keys", "/link/token/create", "/link/connect"
EXCHANGE, STATUS = "/connection/public_token/exchange", "/link/connection/status"
CONTEXT, PRODUCT, REFRESH = "/connection/context", "/sustainability/get", "/connection/refresh"
ENDPOINTS = [KEYS, TOKEN, CONNECT, EXCHANGE, STATUS, CONTEXT, PRODUCT, REFRESH]
ODD = [ValueError, RuntimeError, MemoryError, RecursionError, OSError, UnicodeDecodeError]
LOGINS = ["user_good+new", "instant+new", "user_good+linked", "old+linked"]


class Treacherous(World):
    """A world whose transport raises instead of answering the `number`-th request to a path."""

    def __init__(self, path: str, number: int, error: Callable[[], Exception]) -> None:
        """Start counting."""
        super().__init__()
        self._path, self._left, self._error = path, number, error
        self.raised = 0

    def new_transport(self, config: Config) -> Transport:
        """Return a transport that fails once, in a way nobody foresaw."""
        send = super().new_transport(config)

        async def treacherous(request: Request) -> Answer:
            answer = await send(request)
            if request.path == self._path:
                self._left -= 1
                if self._left == 0:
                    self.raised += 1
                    raise self._error()
            return answer

        return treacherous


def made(kind: type[Exception]) -> Exception:
    """Make an exception of a kind."""
    return UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a secret") if kind is UnicodeDecodeError else kind("a secret")


def read(world: World) -> Sync:
    """Read a fleet of new and of linked logins; one of the linked is refreshed first."""
    late = Story("A minute", (Stage(EXTRACTING, Seconds(60)), Stage(READY)))
    entries: list[Any] = ["user_good+new", "instant+new"]
    entries.append(
        {"key": "user_good+linked", "access_token": world.backend.link("user_good+linked", late, days_ago=1)}
    )
    entries.append({"key": "old+linked", "access_token": world.backend.link("old+linked", "instant", days_ago=90)})
    return world.read(world.fleet(entries, refresh_after_days=30))


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_any_exception_at_any_call_costs_one_login_at_most(path: str, number: int) -> None:
    """Every login gets its row, the others are ready, and no text of the exception is told."""
    kind = ODD[(ENDPOINTS.index(path) + number) % len(ODD)]
    world = Treacherous(path, number, lambda: made(kind))
    sync = read(world)
    rows = {row["connection_key"]: row for row in sync.rows("connections")}
    assert sorted(rows) == sorted(LOGINS)
    hurt = [key for key, row in rows.items() if row["status"] != "ready"]
    assert len(hurt) <= world.raised
    assert all(rows[key]["reason"] == "UNEXPECTED_ERROR_HERE" for key in hurt)
    assert sync.error is None
    assert {sync.statuses(stream)[-1] for stream in ("accounts", "connections")} == {"COMPLETE"}
    assert "a secret" not in str(sync.messages)
    assert {row["connection_key"] for row in sync.rows("accounts")} >= {*LOGINS} - {*hurt}


@pytest.mark.parametrize("path", [CONTEXT, PRODUCT])
def test_a_login_is_submitted_once_whatever_is_raised(path: str) -> None:
    """An exception after the submission does not have the login submitted again, in this run or the next."""
    world = Treacherous(path, 1, lambda: made(ValueError))
    first = world.read(world.config(username="user_good"))
    world.read(first.config or {}, state=first.states)
    assert world.count(CONNECT) == 1


def test_an_exception_while_the_health_is_asked_costs_no_data() -> None:
    """The document was delivered before: the login is ready, and the row says what happened after it."""
    world = Treacherous(CONTEXT, 1, lambda: made(ValueError))
    sync = world.read(world.config(username="instant"))
    row = sync.row("site")
    assert (row["status"], row["reason"]) == ("ready", "UNEXPECTED_ERROR_HERE")
    assert sync.rows("statements")
    assert sync.error is None


def test_an_exception_in_a_task_beside_costs_no_login() -> None:
    """The line of progress is lost, the logins are not."""
    told: list[Event] = []

    async def consume(event: Event) -> None:
        told.append(event)
        if isinstance(event, Progress):
            raise LookupError  # noqa: TRY004 - any kind will do

    story = Story("Three minutes", (Stage(EXTRACTING, Seconds(180)), Stage(READY)))
    world = World()
    token = world.backend.link("late", story, days_ago=1)
    ends = ends_with(world, world.fleet([{"key": "late", "access_token": token}]), consume)
    assert ends == {"late": "ready"}
    assert sum(isinstance(event, Progress) for event in told) >= 3


def test_an_exception_of_check_costs_one_login() -> None:
    """The other logins of a fleet are verified."""
    world = Treacherous(CONTEXT, 1, lambda: made(ValueError))
    tokens = [{"key": f"k{n}", "access_token": world.backend.link(f"instant+{n}", "instant")} for n in range(3)]
    source = SourceLinkless(replace(world.surroundings()))
    status = source.check(logging.getLogger("airbyte"), world.fleet(tokens))
    assert "2 connected, 1 in need of attention" in (status.message or "")


def test_time_in_which_the_output_is_blocked_is_no_waiting() -> None:
    """A slow destination does not use up the time for waiting: every login that is ready is delivered."""

    async def consume(event: Event) -> None:
        if isinstance(event, Delivered):
            await asyncio.sleep(10)

    world = World()
    tokens = [{"key": f"k{n}", "access_token": world.backend.link(f"instant+{n}", "instant")} for n in range(60)]
    config = world.fleet(tokens, data_timeout_minutes=0.5, max_requests_per_second=50)
    ends = ends_with(world, config, consume)
    assert len(ends) == 60
    assert set(ends.values()) == {"ready"}
    assert world.seconds() > 60 * 10


def ends_with(world: World, config: dict[str, Any], consume: Callable[[Event], Awaitable[None]]) -> dict[str, str]:
    """Sync with a consumer that takes one event at a time; return how each login ended."""
    ends: dict[str, str] = {}

    async def sync() -> None:
        door = asyncio.Lock()

        async def emit(event: Event, *, urgent: bool = False) -> None:
            async with door:
                await consume(event)
            if isinstance(event, Finished):
                ends[event.login.key] = event.outcome.status.value

        await sync_all(parsed, links, surroundings, emit)

    surroundings, parsed = world.surroundings(), parse_config(config)
    links = Links(parsed, surroundings.now, surroundings.new_salt)
    with asyncio.Runner(loop_factory=surroundings.new_loop) as runner:
        runner.run(sync())
    return ends


def test_a_login_that_was_not_asked_is_told_in_the_last_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Its row says that it was not asked, not that the provider works on it."""
    world = World()
    tokens = [{"key": f"k{n}", "access_token": world.backend.link(f"instant+{n}", "instant")} for n in range(40)]
    sync = world.read(world.fleet(tokens, data_timeout_minutes=0.05, max_requests_per_second=5))
    rows = sync.rows("connections")
    left = [row for row in rows if row.get("reason") == "NOT_ASKED_YET"]
    assert 0 < len(left) < 40
    assert all(row["status"] == "pending" and "before this login was asked" in row["message"] for row in left)
    assert caplog.messages[-1].startswith(f"{len(left)} of 40 logins were not asked for their data")
    assert sync.error is None


class Hanging(World):
    """A world in which the product of some logins never answers; `patience` is the transport's time-out in seconds."""

    def __init__(self, tokens: set[str]) -> None:
        """Hang for these tokens."""
        super().__init__(latency=0.3, sizes=Sizes(accounts=1, statements=1, charges=1))
        self.tokens = tokens

    def new_transport(self, config: Config) -> Transport:
        """Return a transport that waits for ever for some answers."""
        send = super().new_transport(config)

        async def hanging(request: Request) -> Answer:
            if request.path == PRODUCT and any(token.encode() in (request.body or b"") for token in self.tokens):
                await asyncio.Event().wait()
            return await send(request)

        return hanging


@pytest.mark.no_cover  # many logins run the same lines as a few
@pytest.mark.parametrize("rate", [5, 50, 400])
@pytest.mark.parametrize("hanging", [5, 16, 100])
def test_logins_that_hang_delay_no_others(rate: int, hanging: int) -> None:
    """The healthy ones are read in the time that they take beside as many that answer; a hanging one says TIMEOUT."""
    seconds = {}
    for does_hang in (False, True):
        world = Hanging(set())
        bad = [{"key": f"h{n}", "access_token": world.backend.link(f"instant+h{n}", "instant")} for n in range(hanging)]
        good = [{"key": f"g{n}", "access_token": world.backend.link(f"instant+g{n}", "instant")} for n in range(40)]
        world.tokens = {one["access_token"] for one in bad} if does_hang else set()
        config = world.fleet([*bad, *good], max_requests_per_second=rate, data_timeout_minutes=2)
        sync = world.read(config, catalog=catalog_of(("accounts", "connections")))
        assert {sync.row(f"g{n}")["status"] for n in range(40)} == {"ready"}
        seconds[does_hang] = max(sync.row(f"g{n}")["waited_seconds"] for n in range(40))
        if does_hang:
            assert {sync.row(f"h{n}")["reason"] for n in range(hanging)} == {"TIMEOUT"}
    assert seconds[True] <= 1.1 * seconds[False] + (0.5 if hanging > 16 else 0.0)
