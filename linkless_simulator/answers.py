"""The answers of the simulator as values, and the provider's error object (API notes, section 6.1)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

JSON = "application/json; charset=utf-8"

# Categories are documented for some codes only; the others are assumptions (API notes, section 6.2).
CATEGORIES: Mapping[str, str] = {
    "VALIDATION_FAILED": "INVALID_REQUEST",
    "INVALID_ARGUMENT": "INVALID_REQUEST",
    "INVALID_API_KEYS": "INVALID_INPUT",
    "INVALID_LINK_TOKEN": "INVALID_INPUT",
    "INVALID_PUBLIC_TOKEN": "INVALID_INPUT",
    "INVALID_ACCESS_TOKEN": "INVALID_INPUT",
    "INVALID_ACCOUNT_ID": "INVALID_INPUT",
    "INVALID_SOURCE": "INVALID_INPUT",
    "DATA_SOURCE_NOT_FOUND": "DATA_SOURCE_ERROR",
    "DATA_SOURCE_NOT_RESPONDING": "DATA_SOURCE_ERROR",
    "RATE_LIMIT_EXCEEDED": "RATE_LIMIT_EXCEEDED",
    "PLANNED_MAINTENANCE": "API_ERROR",
    "UNEXPECTED_ERROR": "API_ERROR",
}

# The only message whose text is published. The other messages are invented.
MESSAGES: Mapping[str, str] = {"PRODUCT_NOT_READY": "This connection is still ongoing, try again later"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer.

    `code` repeats the `error_code` of the body for the journal, `problem` the message of a VALIDATION_FAILED.
    `delay` (seconds) and `dropped` (close the socket instead of answering) are for the HTTP server. A direct caller of
    `Backend.answer` handles them itself.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    code: str | None = None
    problem: str | None = None
    delay: float = 0.0
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """An error answer: an error object by its `code`, or any `body` (then `code` is not sent)."""

    code: str | None = None
    status: int = 400
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    message: str | None = None

    def answer(self) -> Answer:
        """Return the answer for this fault; its body is JSON unless its headers say otherwise."""
        if self.body is not None:
            return Answer(self.status, {"content-type": JSON} | dict(self.headers), self.body, self.code)
        if self.code is None:
            return Answer(self.status, dict(self.headers))
        answer = json_answer(error_object(self.code, self.message), self.status, dict(self.headers))
        problem = self.message if self.code == "VALIDATION_FAILED" else None
        return replace(answer, code=self.code, problem=problem)


class Refused(Exception):  # noqa: N818 - it names an answer, not a mistake
    """A request broke a rule of the backend; `fault` is the answer."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code or str(fault.status))
        self.fault = fault


def error_object(code: str, message: str | None = None) -> dict[str, str | None]:
    """Return the documented error object for `code`."""
    return {
        "error_category": CATEGORIES.get(code, "CONNECTION_ERROR"),
        "error_code": code,
        "error_message": message or MESSAGES.get(code, f"Simulated {code.lower().replace('_', ' ')}"),
        "display_message": None,
    }


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Return an answer whose body is `value` as JSON, or is empty when `value` is None."""
    if value is None:
        return Answer(status, headers or {})
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, {"content-type": JSON} | (headers or {}), body)


def refused(code: str, message: str | None = None, status: int = 400) -> Refused:
    """Return the exception to raise for an error object with `code`."""
    return Refused(Fault(code, status, message=message))
