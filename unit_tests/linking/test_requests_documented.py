"""README shows the requests of a first check and read, and of a second read, as a run makes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby

from source_linkless.config import Config
from source_linkless.provider.transport import Answer, Request, Transport
from testing.generated_parts import prove
from testing.worlds import World

PART = "requests of a first check and read"
SHOWN = "link_token", "public_token", "access_token"


class Journal(World):
    """A world that writes down every request with what was answered and when, in seconds."""

    def __init__(self) -> None:
        """Start with an empty journal."""
        super().__init__()
        self.seen: list[tuple[str, str, float]] = []

    def new_transport(self, config: Config) -> Transport:
        """Return a transport that writes its exchanges down."""
        send = super().new_transport(config)

        async def written(request: Request) -> Answer:
            answer = await send(request)
            method = "GET" if request.body is None else "POST"
            self.seen.append((f"{method:<4} {request.path}", said(answer), self.seconds()))
            return answer

        return written

    def take(self) -> list[tuple[str, str, float]]:
        """Return what was written down since this was asked last."""
        seen, self.seen = self.seen, []
        return seen


def said(answer: Answer) -> str:
    """Return the part of an answer that decides what comes next."""
    value = json.loads(bytes(answer.body) or b"{}")
    named = [name for name in SHOWN if name in value]
    for name in ("error_code", "connection_status", "status"):
        if name in value:
            return str(value[name])
    return named[0] if named else "the document" if "accounts" in value else "OK"


def lines(title: str, seen: Iterable[tuple[str, str, float]]) -> list[str]:
    """Return one line per request; equal requests in a row share one, with the pauses between them."""
    rows = []
    for path, group in groupby(seen, key=lambda one: one[0]):
        answers, before = "", 0.0
        for _, answer, at in group:
            answers += f", {at - before:.0f} s later {answer}" if answers else answer
            before = at
        rows.append(f"{path:<43} {answers}")
    return [f"{title if number == 0 else '':<13}{row}".rstrip() for number, row in enumerate(rows)]


def test_readme_shows_the_requests() -> None:
    """In the order of the provider's guide; the second read makes two requests for its login."""
    world = Journal()
    config = world.checked(world.config(username="user_good"))
    check = world.take()
    first = world.read(config)
    reading = world.take()
    second = world.read(first.config or config, state=first.states)
    again = world.take()
    assert first.error is second.error is None
    assert len(again) == 3  # the test of the keys is for all logins
    text = "\n".join([*lines("first check", check), *lines("first read", reading), *lines("second read", again)])
    prove("README.md", {PART: f"```text\n{text}\n```"})
