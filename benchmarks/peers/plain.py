"""The floor: no framework, one thread, one connection kept open, one write for each record.

usage: python -m benchmarks.peers.plain CONFIG
"""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import orjson

from benchmarks.peers.flat import flat
from benchmarks.peers.rows import Row, configuration


def main(config: str) -> None:
    """Write every record as a line of Airbyte's protocol."""
    write_records(config, flat)


def write_records(config: str, rows: Callable[[Row, str], Iterator[tuple[str, Row]]]) -> None:
    """Write what `rows` makes of each document and the name of its connection."""
    write, dumps = sys.stdout.buffer.write, orjson.dumps
    url, connections, _ = configuration(config)
    for connection, body in bodies(url, connections):
        for stream, row in rows(orjson.loads(body), connection):
            record = {"stream": stream, "data": row, "emitted_at": time.time_ns() // 1_000_000}
            write(dumps({"type": "RECORD", "record": record}, option=orjson.OPT_APPEND_NEWLINE))


def bodies(url: str, connections: list[str]) -> Iterator[tuple[str, bytes]]:
    """Fetch the documents one after the other."""
    provider = http.client.HTTPConnection(urlsplit(url).netloc)
    for connection in connections:
        asked = orjson.dumps({"access_token": connection})
        provider.request("POST", "/sustainability/get", asked, {"Content-Type": "application/json"})
        yield connection, provider.getresponse().read()


if __name__ == "__main__":
    main(sys.argv[1])
