"""The provider of the demo: the simulator as a process of its own, with a few customers of four utilities.

It prints a configuration that leads to it and runs until its standard input ends. Logins named on the command
line are linked already, as the provider would know them from an earlier run; their data was fetched once.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from linkless_simulator import Simulator
from linkless_simulator.sources import FIELDS_ONLY, ORDINARY, WATER, WITH_PIN, Source

_KEYS_HEADER = ("x-deck-client-id", "x-deck-secret")


@dataclass(frozen=True, slots=True)
class Customer:
    """One login of the demo. `later` is its story once it is linked, if that differs."""

    key: str
    username: str
    source: Source
    password: str = "pass_good"
    pin: str | None = None
    later: str | None = None

    def entry(self) -> dict[str, Any]:
        """Return the login as it stands in the list of the configuration."""
        entry: dict[str, Any] = {"key": self.key, "source_id": self.source.source_id}
        if self.pin is None:
            return entry | {"username": self.username, "password": self.password}
        names = [field.name for field in self.source.fields]
        return entry | {"login_fields": dict(zip(names, (self.username, self.password, self.pin), strict=True))}


CUSTOMERS = (
    Customer("headquarters", "user_good+headquarters", ORDINARY),
    Customer("warehouse", "slow+warehouse", ORDINARY, later="instant"),
    Customer("waterworks", "catching_up+waterworks", WATER),
    Customer("plant", "awkward+plant", FIELDS_ONLY),
    Customer("greenhouse", "user_good+greenhouse", WITH_PIN, pin="1234"),
    Customer("old-office", "user_good+old-office", ORDINARY, password="changed-last-week"),
)


def configuration(simulator: Simulator) -> dict[str, Any]:
    """Return the configuration of a fleet of all customers."""
    return {
        "environment": "sandbox",
        "client_id": simulator.client_id,
        "secret": simulator.secret,
        "connection": {
            "method": "fleet",
            "connections": json.dumps([customer.entry() for customer in CUSTOMERS]),
        },
        "poll_interval_seconds": 1,
        "max_requests_per_second": 20,
        "api_url": simulator.url,
    }


def link(simulator: Simulator, customer: Customer) -> None:
    """Make a customer one whose link, and first delivery, lie in the past."""
    token = simulator.backend.link(customer.username, customer.later, source=customer.source, days_ago=1)
    headers = dict(zip(_KEYS_HEADER, (simulator.client_id, simulator.secret), strict=True))
    headers["content-type"] = "application/json"
    simulator.backend.answer("POST", "/sustainability/get", headers, json.dumps({"access_token": token}).encode())


def main(linked: list[str]) -> None:
    """Run the simulator; `linked` are keys of customers."""
    with Simulator() as simulator:
        for customer in CUSTOMERS:
            if customer.key in linked:
                link(simulator, customer)
        print(json.dumps(configuration(simulator)), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
