"""Requests to a backend of the simulator without HTTP, with a clock that the test moves."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from linkless_simulator.answers import Answer
from linkless_simulator.backend import CLIENT_ID, SECRET, Backend
from linkless_simulator.bills import Sizes
from linkless_simulator.sources import ORDINARY

KEYS = {"x-deck-client-id": CLIENT_ID, "x-deck-secret": SECRET, "content-type": "application/json"}
TODAY = date(2026, 11, 22)
SMALL = Sizes(statements=6)
PASSWORD = "pass_good"


@dataclass
class Clock:
    """A clock that only the test moves."""

    reading: float = 1000.0

    def __call__(self) -> float:
        """Return the reading, in seconds."""
        return self.reading

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.reading += seconds


@dataclass(frozen=True)
class Linked:
    """The tokens of a finished handshake."""

    link_token: str
    access_token: str


class Talk:
    """One backend, its clock, and requests with good keys."""

    def __init__(self, sizes: Sizes = SMALL) -> None:
        self.clock = Clock()
        self.backend = Backend(self.clock, today=TODAY, sizes=sizes)

    def raw(self, path: str, body: Any) -> Answer:
        """Send a request and return the answer as it is."""
        return self.backend.answer("POST", path, KEYS, json.dumps(body).encode())

    def post(self, path: str, **body: Any) -> Any:
        """Send a request that must succeed and return the parsed body (None: no body)."""
        answer = self.raw(path, body)
        assert answer.status == 200, answer.body
        return json.loads(answer.body) if answer.body else None

    def refusal(self, path: str, **body: Any) -> tuple[int, str]:
        """Send a request that must fail and return its status and error code."""
        answer = self.raw(path, body)
        assert answer.status != 200, answer.body
        return answer.status, json.loads(answer.body)["error_code"]

    def link_token(self, **options: Any) -> str:
        """Open a link session."""
        token = self.post("/link/token/create", **options)["link_token"]
        assert isinstance(token, str)
        return token

    def connect(
        self, link_token: str, username: str, password: str = PASSWORD, source_id: str = ORDINARY.source_id
    ) -> Any:
        """Submit a login in its flat form."""
        return self.post(
            "/link/connect", link_token=link_token, source_id=source_id, username=username, password=password
        )

    def handshake(self, username: str, password: str = PASSWORD) -> Linked:
        """Link a login."""
        link_token = self.link_token()
        public_token = self.connect(link_token, username, password)["public_token"]
        exchanged = self.post("/connection/public_token/exchange", public_token=public_token)
        return Linked(link_token, exchanged["access_token"])

    def status(self, link_token: str) -> str:
        """Poll the status of a login."""
        reason = self.post("/link/connection/status", link_token=link_token)["status"]
        assert isinstance(reason, str)
        return reason

    def reason(self, access_token: str) -> tuple[str, str]:
        """Return connection status and reason."""
        context = self.post("/connection/context", access_token=access_token)
        return context["connection_status"], context["connection_status_reason"]
