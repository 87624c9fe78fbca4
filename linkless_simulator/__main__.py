"""Start the simulator, print a ready configuration, run until Ctrl-C or SIGTERM."""

import argparse
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from linkless_simulator.front import Front
from linkless_simulator.scenarios import STORIES
from linkless_simulator.server import Simulator
from linkless_simulator.wire_faults import WIRE_FAULTS, Setting

DEFAULT_FILE = "config.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _options(arguments)
    if options.stories or options.faults:
        print(_stories() if options.stories else _listed({name: fault.about for name, fault in WIRE_FAULTS.items()}))
        return 0
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    setting = Setting(size=options.size, pause=options.pause)
    with Front(setting=setting, host=options.host, port=options.port) as simulator:
        for name, path in options.fault:
            simulator.arm(name, path, times=sys.maxsize, processed=options.processed)
        for username in options.linked:
            simulator.backend.link(username)
        config = configuration(simulator, options.login)
        if options.write_config:
            _write(Path(options.write_config), config)
        print(_greeting(simulator, config, options.write_config), flush=True)
        stop.wait()
    print("\nThe simulator has stopped.", flush=True)
    return 0


def configuration(simulator: Simulator, username: str) -> dict[str, Any]:
    """Return a configuration of the connector for one login at the simulator."""
    return {
        "environment": "sandbox",
        "client_id": simulator.client_id,
        "secret": simulator.secret,
        "connection": {
            "method": "login",
            "source_id": simulator.source_id,
            "username": username,
            "password": "pass_good",
            "key": username.split("+", 1)[0].replace("_", "-"),
        },
        "poll_interval_seconds": 1,
        "api_url": simulator.url,
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m linkless_simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address (default: this machine only)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--login", default="user_good", help="login of the printed configuration")
    parser.add_argument(
        "--linked", action="append", default=[], metavar="LOGIN", help="login that is linked already; repeatable"
    )
    parser.add_argument("--write-config", metavar="FILE", help="write the configuration to FILE")
    parser.add_argument("--stories", action="store_true", help="list the stories and exit")
    parser.add_argument("--faults", action="store_true", help="list the faults on the wire and exit")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault,
        metavar="NAME=PATH",
        help="send this fault for every request to this path; repeatable",
    )
    parser.add_argument("--processed", action="store_true", help="carry out requests whose answer is faulty")
    parser.add_argument("--size", type=int, default=Setting.size, help="size of large faults in bytes")
    parser.add_argument("--pause", type=float, default=Setting.pause, help="seconds between the bytes of slow faults")
    return parser.parse_args(arguments)


def _fault(text: str) -> tuple[str, str]:
    """Parse `reset=/link/connect`; ValueError, which argparse reports, for a name that is not in the table."""
    name, _, path = text.partition("=")
    if name not in WIRE_FAULTS or not path.startswith("/"):
        raise ValueError
    return name, path


def _write(path: Path, config: dict[str, Any]) -> None:
    """Write a file that only its owner can read: a real configuration holds a password."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _greeting(simulator: Simulator, config: dict[str, Any], written_to: str | None) -> str:
    file, form = written_to or DEFAULT_FILE, f"{simulator.url.removesuffix('/api/v1')}/link-initialize.js"
    where = f"Configuration, written to {file}:" if written_to else f"Configuration, to be saved as {file}:"
    return "\n".join(
        (
            "Stories (login name, up to a plus sign; password pass_good):",
            _stories(),
            "",
            where,
            json.dumps(config, indent=2),
            "",
            "Try:",
            f"  source-linkless check --config {file}",
            f"  source-linkless discover --config {file}",
            f"  linkless link --browser --config {file} --form {form}",
            "",
            f"The simulator listens on {simulator.url} - Ctrl-C stops it.",
        )
    )


def _stories() -> str:
    return _listed({name: story.about for name, story in STORIES.items()})


def _listed(rows: Mapping[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {about}" for name, about in rows.items())


if __name__ == "__main__":
    sys.exit(main())
