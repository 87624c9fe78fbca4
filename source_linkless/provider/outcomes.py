"""What each reason code means for a login, as `provider/outcomes.toml` says. Nothing here acts, waits or counts.

    reason code ──► Meaning(advice, status, actor, failure, then) ──► Outcome of one login
      error_code, HTTP status, link status, reason of the connection, failure of the transport

`then` tells the caller what to do next; `status`, `actor` and `advice` become a row of the stream `connections`
and a line of the final message; `failure` decides whether the platform repeats the sync.
"""

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from airbyte_cdk.models import FailureType

from source_linkless.errors import Actor, Meaning, Problem, Status, Then

_TABLE = tomllib.loads(resources.files(__package__).joinpath("outcomes.toml").read_text(encoding="utf-8"))


def _meaning(advice: str, status: str, actor: str, failure: str | None = None, then: str = "STOP", **_: Any) -> Meaning:
    return Meaning(advice, Status(status), Actor(actor), FailureType(failure) if failure else None, Then[then])


MEANINGS = {name: _meaning(**row) for name, row in _TABLE.items()}
BROKEN = MEANINGS["BROKEN"]
CREDENTIALS = MEANINGS["CREDENTIALS"]
EXCHANGE_LOST = MEANINGS["EXCHANGE_LOST"]
NOT_ALLOWED = MEANINGS["NOT_ALLOWED"]
NO_DATA = MEANINGS["NO_DATA"]
PROVIDER_DOWN = MEANINGS["PROVIDER_DOWN"]
TOKEN = MEANINGS["TOKEN"]
UNKNOWN = MEANINGS["UNKNOWN"]
WORKING = MEANINGS["WORKING"]

VALIDATION_FAILED = "VALIDATION_FAILED"
PARTIAL_ACCOUNTS = "PARTIAL_ACCOUNTS"


def _codes(place: str) -> dict[Any, Meaning]:
    return {code: MEANINGS[name] for name, row in _TABLE.items() for code in row.get(place, ())}


ERROR_CODES, LINK_STATUSES, REASONS = _codes("error_codes"), _codes("link_statuses"), _codes("reasons")
HTTP_STATUSES, OF_DOCUMENT, OF_FILE = _codes("http_statuses"), _codes("of_document"), _codes("of_file")
OWN_CODES, AT_DEADLINE = _codes("own_codes"), _codes("at_deadline")
KNOWN = {**ERROR_CODES, **REASONS, **LINK_STATUSES}  # what the provider says in documented words


def of_answer(error_code: str | None, http_status: int) -> Meaning:
    """Classify an error answer: by its `error_code` if we know it, then by its HTTP status."""
    meaning = ERROR_CODES.get(error_code) or HTTP_STATUSES.get(http_status)
    return meaning or (PROVIDER_DOWN if http_status >= 500 else UNKNOWN)  # noqa: PLR2004 - the class of server errors


def of_link_status(status: str) -> Meaning:
    """Classify a link status; one we do not know is progress, and the deadline ends the wait."""
    return LINK_STATUSES.get(status, WORKING)


def of_context(status: str | None, reason: str | None) -> Meaning:
    """Classify the health of a connection; a reason that we do not know is progress, unless its status is Error."""
    return REASONS.get(reason) or (BROKEN if status == "Error" else WORKING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one login ended in this run: a row of `connections`, a line of the final message.

    `reason` is the provider's own code or status, or one of ours. `message` says what to do. `detail` holds identifiers
    for support: endpoint, HTTP status, request id.
    """

    status: Status
    actor: Actor
    failure: FailureType | None
    reason: str | None
    message: str
    detail: str = ""


READY = Outcome(Status.READY, Actor.NOBODY, None, None, "")


def outcome(reason: str | None, meaning: Meaning, detail: str = "") -> Outcome:
    """Make the outcome of a login that ended with `reason`."""
    return Outcome(meaning.status, meaning.actor, meaning.failure, reason, meaning.advice, detail)


def own(code: str, detail: str = "") -> Outcome:
    """Make the outcome of a login that ended with a code of the connector."""
    return outcome(code, OWN_CODES[code], detail)


def of_wait(reason: str) -> Outcome:
    """Return the outcome of a login that is still waited for at the deadline; `reason` is the provider's latest."""
    return outcome(reason, AT_DEADLINE.get(reason, WORKING))


def of_problem(problem: Problem) -> Outcome:
    """Make the outcome of a login that ended with a problem."""
    return outcome(problem.reason, problem.meaning, problem.detail)


def of_refusal(reason: str) -> Outcome:
    """Return the outcome of a login that was refused before: reported again, without submitting it again."""
    return outcome(reason, KNOWN.get(reason, CREDENTIALS))
