"""Fetch documents from an address and print the memory that each took: a separate process, for `test_large_answers`.

python -m testing.large_answer URL NUMBER   ──► for each: bytes, kilobytes of anonymous memory at the peak
"""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import closing
from pathlib import Path

from source_linkless.config import parse_config
from source_linkless.provider.transport import Answer, HttpTransport, Request

PAGE = 4096


def anonymous() -> int:
    """Return the kilobytes of anonymous memory of this process now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))


class Watching:
    """Samples the memory; `peak` is the maximum."""

    def __init__(self) -> None:
        """Start."""
        self.peak, self._done = anonymous(), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            self.peak = max(self.peak, anonymous())

    def end(self) -> None:
        """Stop."""
        self._done.set()
        self._thread.join()


async def fetch(send: HttpTransport) -> Answer:
    """Ask for the document."""
    return await send(Request("/sustainability/get", b"{}", large=True))


def main(url: str, number: int) -> None:
    """Fetch one document after the other, and print the figures of each; keep the last."""
    keys = {"environment": "sandbox", "client_id": "c", "secret": "s", "api_url": url}
    config = parse_config({**keys, "connection": {"method": "access_token", "access_token": "t", "key": "k"}})
    with closing(HttpTransport(config)) as send:
        for _ in range(number):
            before, watching = anonymous(), Watching()
            body = asyncio.run(fetch(send)).body
            every_page = sum(body[::PAGE])
            watching.end()
            print(len(body), watching.peak - before, every_page > 0, flush=True)  # noqa: T201 - what the test reads
    sys.stdin.read()  # holds the last answer until the test has looked


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
