"""The requests so far and their answers. Bodies are not kept, because they hold passwords and tokens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `status` is 0 when the connection was dropped; `at` is the backend's clock, in seconds.

    `username` is the login that the request was about, as far as its tokens are known; `problem` is the
    message of a request that broke the contract.
    """

    path: str
    status: int
    error_code: str | None
    username: str | None
    at: float
    problem: str | None = None
