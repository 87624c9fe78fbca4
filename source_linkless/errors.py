"""How a login can end, who has to act, and the exceptions for it.

Problem                  one request did not return what was asked for
└─ its Meaning           what that means for the login: a row of the table in `outcomes`
AirbyteTracedException   what the platform sees: an invalid configuration or state, or the end of a failed run
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException


class Status(StrEnum):
    """How one configured login ended in this sync."""

    READY = "ready"
    NO_DATA = "no_data"
    PENDING = "pending"
    NEEDS_USER = "needs_user"
    FAILED = "failed"


class Actor(StrEnum):
    """Who has to act before the next sync can do better."""

    NOBODY = "nobody"
    USER = "user"
    PROVIDER = "provider"
    UTILITY = "utility"
    CONNECTOR = "connector"


class Then(Enum):
    """What to do after an answer."""

    PROCEED = "proceed"  # the step is done
    WAIT = "ask again later, until the deadline"
    SLOW_DOWN = "wait, and slow down all connections, until the deadline"
    RETRY = "repeat a few times with growing pauses; connect and exchange: stop"
    ASK_CONTEXT = "this session is gone: go on with /connection/context"
    ASK_KEYS = "401: let /test/api_keys decide between the keys and this connection"
    RELINK = "the provider does not know the token: link once more if it was ours"
    STOP = "this login is over for this run"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer of the provider means for one login.

    `advice` says what happened and what to do; for the user it follows the login's key and the reason code.
    """

    advice: str
    status: Status
    actor: Actor
    failure: FailureType | None = None
    then: Then = Then.STOP


class Problem(Exception):  # noqa: N818 - the provider's answer, not an error of ours
    """One request did not return what was asked for.

    `reason` is what the provider answered (`error_code`, else the HTTP status or the failure of the transport).
    `detail` is for engineers: endpoint, HTTP status, request id. `reached` is False when the request certainly did not
    reach the provider. `retry_after` is in seconds. The text holds identifiers only: no body, token or credential.
    """

    def __init__(
        self, reason: str, meaning: Meaning, *, detail: str = "", reached: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason, self.meaning, self.detail = reason, meaning, detail
        self.reached, self.retry_after = reached, retry_after


def invalid_configuration(message: str) -> AirbyteTracedException:
    """Make the error for what a person must correct; `message` says what and where, never with a value."""
    return AirbyteTracedException(message=message, internal_message=message, failure_type=FailureType.config_error)
