"""A fleet waits once: its pace, its rate, its order and its memory, in virtual time, where every ratio is exact."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from airbyte_cdk.models import FailureType

from linkless_simulator.bills import Sizes
from linkless_simulator.scenarios import STORIES
from linkless_simulator.situations import CONNECTING, EXTRACTING, READY
from linkless_simulator.stages import Looks, Seconds, Stage
from linkless_simulator.story import Story
from source_linkless.config import parse_config
from source_linkless.config.links import Links
from source_linkless.linking.events import Delivered, Event, Finished, LinksChanged, Progress
from source_linkless.linking.opening import sync_all
from source_linkless.linking.running import WRITE_SECONDS
from testing.worlds import World, catalog_of

PRODUCT, CONNECT, EXCHANGE = "/sustainability/get", "/link/connect", "/connection/public_token/exchange"
STATUS = "/link/connection/status"
FEW_STREAMS = catalog_of(("accounts", "connections"))
SMALL = Sizes(accounts=1, statements=1, charges=1)
LATENCY = 0.3
UNLIMITED = 1_000.0

pytestmark = pytest.mark.no_cover  # thousands of logins run the same lines as one


def by_the_clock(wait: float) -> Story:
    """Return a story: connected at the second look, data `wait` seconds after the first product call."""
    login = Stage(CONNECTING, Looks(1)), Stage(EXTRACTING, Looks(0))
    return Story("By the clock", (*login, Stage(EXTRACTING, Seconds(wait)), Stage(READY)), sizes=SMALL)


def with_tokens(world: World, waits: Iterable[float]) -> list[dict[str, str]]:
    """Return entries of connections that exist already, ready so many seconds after their first product call."""
    names = ((f"site+{number}", wait) for number, wait in enumerate(waits))
    return [{"key": name, "access_token": world.backend.link(name, by_the_clock(wait))} for name, wait in names]


def to_be_linked(world: World, waits: Iterable[float]) -> list[dict[str, Any]]:
    """Return entries of logins without a link, whose data waits like that of `with_tokens`."""
    named = {f"site+{number}": wait for number, wait in enumerate(waits)}
    for name, wait in named.items():
        world.backend.tell(name, by_the_clock(wait))
    return [world.entry(name) for name in named]


def log_normal(number: int, slowest: float) -> list[float]:
    """Draw waits whose logarithm is normal with sigma 1; the longest is `slowest` seconds."""
    chance = random.Random(number)  # noqa: S311 - a sample, not cryptography
    drawn = [chance.lognormvariate(0.0, 1.0) for _ in range(number)]
    return [one * slowest / max(drawn) for one in drawn]


@dataclass(frozen=True)
class Waited:
    """A fleet that was read to its end: its waits, and the moments of its product calls."""

    waits: Sequence[float]
    calls: Sequence[tuple[str, float, int]]
    """Login, moment, HTTP status of every product call, in order."""
    began: float

    @property
    def possible(self) -> float:
        """When the last document could have been read, after the first request."""
        first = {name: at for name, at, _ in reversed(self.calls)}
        return max(first[f"site+{number}"] + wait for number, wait in enumerate(self.waits)) - self.began

    @property
    def read(self) -> float:
        """When the last document was read, after the first request."""
        return max(at for _, at, status in self.calls if status == 200) - self.began


def read_fleet(entries_of: Callable[[World, Iterable[float]], Any], waits: Sequence[float], **options: Any) -> Waited:
    """Read a fleet with these waits to its end."""
    world = World(latency=LATENCY)
    sync = world.read(world.fleet(entries_of(world, waits), **options), catalog=FEW_STREAMS)
    assert sync.error is None
    return waited_for(world, waits)


def waited_for(world: World, waits: Sequence[float]) -> Waited:
    """Return how a fleet with these waits was read."""
    journal = world.backend.journal
    calls = [(str(entry.username), entry.at, entry.status) for entry in journal if entry.path == PRODUCT]
    return Waited(waits, calls, journal[0].at)


@cache
def thousand() -> Waited:
    """Read a thousand connections with tokens, once for all tests that look at them."""
    return read_fleet(with_tokens, log_normal(1_000, slowest=1_200), max_requests_per_second=UNLIMITED)


def events_of(
    world: World,
    config: dict[str, Any],
    consume: Callable[[Event], Awaitable[None]] | None = None,
    *,
    seconds: float | None = None,
) -> list[tuple[float, Event]]:
    """Run a sync without a consumer's thread; return its events, each with the virtual moment it was emitted.

    `consume` is awaited for each of them; after `seconds` the run is ended with TimeoutError.
    """
    told: list[tuple[float, Event]] = []

    async def tell(event: Event, *, urgent: bool = False) -> None:
        told.append((world.seconds(), event))
        if consume is not None:
            await consume(event)

    async def sync() -> None:
        async with asyncio.timeout(seconds):
            await sync_all(parsed, links, surroundings, tell)

    surroundings, parsed = world.surroundings(), parse_config(config)
    links = Links(parsed, surroundings.now, surroundings.new_salt)
    with asyncio.Runner(loop_factory=surroundings.new_loop) as runner:
        runner.run(sync())
    return told


def of_kind(told: Iterable[tuple[float, Event]], kind: type[Any]) -> list[tuple[float, Any]]:
    """Choose the events of one kind."""
    return [(at, event) for at, event in told if isinstance(event, kind)]


def tokens_in(links: str) -> set[str]:
    """Return the keys whose token a written `links` holds."""
    return {key for key, link in json.loads(links)["connections"].items() if "access_token" in link}


def test_a_thousand_connections_are_read_when_the_slowest_is_ready() -> None:
    """The last document is read within 5 % of its first product call and its readiness."""
    assert thousand().read <= 1.05 * thousand().possible


@pytest.mark.parametrize("entries_of", [with_tokens, to_be_linked])
def test_two_hundred_connections_are_read_when_the_slowest_is_ready(entries_of: Any) -> None:
    """The same holds for a smaller fleet, and for logins that are linked first."""
    waited = read_fleet(entries_of, log_normal(200, slowest=600), max_requests_per_second=UNLIMITED)
    assert waited.read <= 1.05 * waited.possible


def test_a_thousand_connections_take_at_most_twenty_looks_each() -> None:
    """The pause grows with the age of the wait, so that patience is cheap for the provider too."""
    assert len(thousand().calls) <= 20 * 1_000


@pytest.mark.parametrize(
    ("logins", "slowest", "rate"),
    [(1, 3_600.0, 5.0), (20, 1_200.0, 5.0), (1_000, 900.0, 50.0), (3_000, 200.0, 60.0)],
)
def test_a_document_is_found_soon_after_it_is_ready(logins: int, slowest: float, rate: float) -> None:
    """Within 5 % of its readiness and one interval: that of the option, or one round at the allowed rate.

    A round is a status and a poll of the product of every login, as in the beginning.
    """
    world, waits = World(latency=LATENCY), log_normal(logins, slowest)
    events_of(world, world.fleet(with_tokens(world, waits), max_requests_per_second=rate, data_timeout_minutes=90))
    waited = waited_for(world, waits)
    first = {name: at for name, at, _ in reversed(waited.calls)}
    found = {name: at - first[name] for name, at, status in waited.calls if status == 200}
    interval = max(5.0, 2 * logins / rate) + 2 * LATENCY
    named = ((f"site+{number}", wait) for number, wait in enumerate(waited.waits))
    late = {name: (wait, found[name]) for name, wait in named if found[name] > 1.05 * wait + interval}
    assert (len(found), late) == (logins, {})


def test_every_connection_is_asked_once_before_any_is_asked_twice() -> None:
    """The clock of a connection may start with its first product call: none may stand behind another's second."""
    asked: Counter[str] = Counter()
    moments: dict[int, list[float]] = defaultdict(list)
    for name, at, _ in thousand().calls:
        asked[name] += 1
        moments[asked[name]].append(at)
    assert len(moments[1]) == 1_000
    assert max(moments[1]) <= min(moments[2])


@pytest.mark.parametrize("rate", [0.5, 2.0])
def test_under_a_rate_limit_nobody_could_read_a_fleet_sooner(rate: float) -> None:
    """A client that knew every readiness would still need a status, a first poll and a read of each connection."""
    waited = read_fleet(
        with_tokens, log_normal(500, slowest=1_200), max_requests_per_second=rate, data_timeout_minutes=600
    )
    ready = [2 * LATENCY + (2 * number + 1) / rate + wait for number, wait in enumerate(waited.waits)]
    assert waited.read <= 1.05 * max(*ready, 3 * 500 / rate)


def test_one_product_call_feeds_all_streams() -> None:
    """Whatever the number of streams, a ready connection is asked for its document once."""
    calls = []
    for streams in (("payments",), ("accounts", "charges", "connections", "payments", "statements", "sustainability")):
        world = World()
        world.read(world.fleet(with_tokens(world, [0.0] * 12)), catalog=catalog_of(streams))
        calls.append(Counter(entry.username for entry in world.backend.journal if entry.path == PRODUCT))
    assert calls == [Counter({f"site+{number}": 1 for number in range(12)})] * 2


def test_the_first_ready_is_sent_first() -> None:
    """Documents leave in the order of their readiness, not in that of the list."""
    world = World()
    sync = world.read(world.fleet(with_tokens(world, [300.0, 30.0, 0.0, 100.0])), catalog=FEW_STREAMS)
    assert [row["connection_key"] for row in sync.rows("accounts")] == ["site+2", "site+1", "site+3", "site+0"]


@pytest.mark.parametrize("entries_of", [with_tokens, to_be_linked])
def test_the_allowed_rate_holds_from_the_first_request_to_the_last(entries_of: Any) -> None:
    """No span of time holds more requests than the rate allows, and a quarter of a second's worth."""
    world, rate = World(), 5.0
    events_of(world, world.fleet(entries_of(world, [60.0] * 100), max_requests_per_second=rate))
    used = [number - rate * entry.at for number, entry in enumerate(world.backend.journal)]
    lowest = itertools.accumulate(used, min)
    assert max(more - least for more, least in zip(used, lowest, strict=True)) <= rate * 0.25 + 1e-6


def test_a_refusal_for_the_rate_holds_its_endpoint_and_slows_all_connections_down() -> None:
    """A 429 holds the endpoint for as long as `Retry-After` says; the others go on at half the pace."""
    world = World()
    world.backend.fail_next(PRODUCT, 429, code="RATE_LIMIT_EXCEEDED", headers={"retry-after": "30"})
    sync = world.read(world.fleet(with_tokens(world, [0.0] * 40), max_requests_per_second=5), catalog=FEW_STREAMS)
    refused = next(number for number, entry in enumerate(world.backend.journal) if entry.status == 429)
    moment, after = world.backend.journal[refused].at, world.backend.journal[refused + 1 :]
    assert min(entry.at for entry in after if entry.path == PRODUCT) == pytest.approx(moment + 30)
    assert after[2].at - after[1].at == pytest.approx(2 / 5, rel=0.1)
    assert {row["status"] for row in sync.rows("connections")} == {"ready"}


def test_an_absurd_pause_ends_at_the_deadline() -> None:
    """A provider that asks for years is heard until the deadline; what was not read stays pending."""
    world = World()
    world.backend.fail_next(PRODUCT, 429, code="RATE_LIMIT_EXCEEDED", headers={"retry-after": "999999999"})
    sync = world.read(world.fleet(with_tokens(world, [0.0] * 10), data_timeout_minutes=5))
    assert world.seconds() == pytest.approx(300)
    assert [row["status"] for row in sync.rows("connections")] == ["pending"] * 10
    assert sync.row("site+0")["reason"] == "RATE_LIMIT_EXCEEDED"
    assert sync.failure_type is FailureType.transient_error


@pytest.mark.parametrize(("rate", "slots"), [(1, 4), (7, 7), (1_000, 16)])
def test_documents_are_not_fetched_faster_than_they_are_consumed(rate: int, slots: int) -> None:
    """While the consumer does not ask for more, only as many documents are in memory as there are slots."""
    world = World()
    config = world.fleet(with_tokens(world, [0.0] * 200), max_requests_per_second=rate, data_timeout_minutes=120)
    with pytest.raises(TimeoutError):
        events_of(world, config, lambda _event: never(), seconds=3_600)
    assert [entry.status for entry in world.backend.journal if entry.path == PRODUCT] == [200] * slots


def test_a_consumer_that_wakes_up_gets_everything() -> None:
    """A slow consumer delays the fetching; nothing is lost."""
    world = World()
    config = world.fleet(with_tokens(world, [0.0] * 100), max_requests_per_second=UNLIMITED, data_timeout_minutes=120)
    told = events_of(world, config, lambda _event: asyncio.sleep(10))
    assert len(of_kind(told, Delivered)) == 100
    assert {event.outcome.status.value for _, event in of_kind(told, Finished)} == {"ready"}


Linked = tuple[World, list[tuple[float, Event]]]


@pytest.fixture(scope="module")
def linked() -> Linked:
    """Link a fleet at the default rate, once for all tests that look at its write-backs."""
    world = World(latency=LATENCY)
    return world, events_of(world, world.fleet(to_be_linked(world, [60.0] * 300)))


def test_one_message_announces_a_fleet_before_its_first_login_is_submitted(linked: Linked) -> None:
    """Each submission is written before it happens, and all of them share a message."""
    world, told = linked
    written = of_kind(told, LinksChanged)
    first_submission = min(entry.at for entry in world.backend.journal if entry.path == CONNECT)
    known = json.loads(written[0][1].links)["connections"]
    assert written[0][0] < first_submission < written[1][0]
    assert {key: len(link["submitted"]) for key, link in known.items()} == {f"site+{n}": 1 for n in range(300)}


def test_a_login_that_was_begun_is_finished_before_the_next(linked: Linked) -> None:
    """None waits between submission and token for the link sessions of hundreds of others to be opened."""
    world, _ = linked
    submitted = {entry.username: entry.at for entry in world.backend.journal if entry.path == CONNECT}
    exchanged = {entry.username: entry.at for entry in world.backend.journal if entry.path == EXCHANGE}
    assert len(exchanged) == 300
    assert max(exchanged[name] - at for name, at in submitted.items()) <= 1.0


def test_every_token_is_written_within_a_second_and_before_its_connection_is_waited_for(linked: Linked) -> None:
    """A run that dies while it waits must not have to link again."""
    world, told = linked
    written: dict[str, float] = {}
    for at, event in of_kind(told, LinksChanged):
        written.update(dict.fromkeys(tokens_in(event.links) - set(written), at))
    exchanged = {str(entry.username): entry.at for entry in world.backend.journal if entry.path == EXCHANGE}
    looked = {str(entry.username): entry.at for entry in reversed(world.backend.journal) if entry.path == STATUS}
    assert max(at - exchanged[key] for key, at in written.items()) <= 1.0
    assert all(written[key] <= looked[key] - LATENCY for key in exchanged)


def test_tokens_that_arrive_together_share_a_message(linked: Linked) -> None:
    """Control messages keep their distance: a fleet is not written back once per token."""
    moments = [at for at, _ in of_kind(linked[1], LinksChanged)]
    assert min(later - at for at, later in itertools.pairwise(moments)) >= WRITE_SECONDS - 1e-6
    assert len(moments) <= 300 * 3 / 5 / WRITE_SECONDS + 2


def test_a_fleet_that_is_linked_already_writes_nothing_back() -> None:
    """A configuration is written only when its links changed."""
    world = World()
    config = world.fleet(["user_good+1", "user_good+2"])
    kept = world.read(config).config
    assert kept is not None
    assert world.read(kept).config is None


def test_each_minute_a_line_counts_the_fleet_and_names_its_slowest() -> None:
    """Somebody who watches sees how far it is, and which logins to ask the provider about."""
    world = World()
    told = events_of(world, world.fleet(["instant", "wrong_password", *with_tokens(world, [90.0, 200.0])]))
    lines = of_kind(told, Progress)
    assert [at for at, _ in lines] == [60.0, 120.0, 180.0]
    assert lines[0][1].counts == {"ready": 1, "needs_user": 1, "waiting": 2}
    assert lines[1][1].counts == {"ready": 2, "needs_user": 1, "waiting": 1}
    assert [(one.key, one.reason, one.seconds) for one in lines[2][1].slowest] == [
        ("site+1", "PRODUCT_NOT_READY", 180.0)
    ]


def test_the_log_of_a_long_wait_has_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A fleet that is looked at thousands of times does not fill the log with it."""
    world = World()
    config = world.fleet(with_tokens(world, [310.0] * 30), data_timeout_minutes=10)
    with caplog.at_level(logging.INFO):
        list(world.source().read(logging.getLogger(__name__), config, FEW_STREAMS))
    waits = (
        "Longest waits: site+0 PRODUCT_NOT_READY {0} s, site+1 PRODUCT_NOT_READY {0} s, site+2 PRODUCT_NOT_READY {0} s."
    )
    assert caplog.messages[:4] == [f"Logins: 30 waiting. {waits.format(minute * 60)}" for minute in (1, 2, 3, 4)]
    assert sum(message.startswith("Logins: ") for message in caplog.messages) == 6  # the last: how many ended how


def test_states_are_repeated_while_nothing_else_is_said() -> None:
    """The platform may stop a sync that sends neither record nor state for long: every five minutes it gets one."""
    world = World()
    sync = world.read(world.fleet(["never_ready", "instant"], data_timeout_minutes=15.5), catalog=FEW_STREAMS)
    told = [
        message.state.stream.stream_descriptor.name
        for message in sync.messages
        if message.state and message.state.stream
    ]
    # after the first minute with news, three times while waiting, and at the end
    assert told == ["accounts", "connections"] * 5


def test_every_row_says_how_long_its_login_was_waited_for() -> None:
    """`waited_seconds` counts from the start of the run to the document or the failure."""
    world = World()
    sync = world.read(
        world.fleet(with_tokens(world, [0.0, 25.0, 1e9]), data_timeout_minutes=2, poll_interval_seconds=5)
    )
    assert [sync.row(f"site+{number}")["waited_seconds"] for number in range(3)] == pytest.approx([0, 25, 120], abs=1)


def test_no_story_is_submitted_twice_in_a_run() -> None:
    """Whatever the provider answers, one run tries a login once at its utility."""
    world = World()
    events_of(world, world.fleet(STORIES, data_timeout_minutes=10))
    assert [name for name in STORIES if world.backend.submissions(name) > 1] == []


async def never() -> None:
    """Wait for ever."""
    await asyncio.Event().wait()
