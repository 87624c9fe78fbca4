"""What each reason code means for a login: the table of outcomes as data. Nothing here acts, waits or counts.

    reason code ──► Meaning(advice, status, actor, failure, then) ──► Outcome of one login
      error_code, HTTP status, link status, reason of the connection, failure of the transport

`then` tells the caller what to do next; `status`, `actor` and `advice` become a row of the stream `connections`
and a line of the final message; `failure` decides whether the platform repeats the sync.
Where the facts come from: API notes, sections 2.4, 3.1 and 6.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from airbyte_cdk.models import FailureType

from source_linkless.errors import Actor, Meaning, Problem, Status, Then

_CONFIG, _TRANSIENT = FailureType.config_error, FailureType.transient_error
_person = partial(Meaning, status=Status.NEEDS_USER, actor=Actor.USER, failure=_CONFIG)
_wrong = partial(Meaning, status=Status.FAILED, actor=Actor.USER, failure=_CONFIG)
_working = partial(Meaning, status=Status.PENDING, actor=Actor.PROVIDER, failure=_TRANSIENT, then=Then.WAIT)
_outage = partial(Meaning, status=Status.FAILED, failure=_TRANSIENT, then=Then.RETRY)
_ended = partial(Meaning, status=Status.FAILED, failure=_CONFIG)
_no_data = partial(Meaning, status=Status.NO_DATA, actor=Actor.NOBODY)

_BY_HAND = "Link this login once by hand with the command `linkless link`, which asks you for it."
_ELSEWHERE = "Link this login once with the command `linkless link --browser`, in the provider's own form."
CREDENTIALS = _person(
    "The utility refused the username or the password. Correct it in the configuration; the same login is not "
    "submitted again before it changes or 'attempt' is raised."
)
LOCKED = _person("The utility has locked the account. Unlock it at its portal, then raise 'attempt' by one.")
CODE = _person(f"The utility asks for a one-time code or a confirmation. {_BY_HAND}")
METHOD = _person(f"The utility asks how to send a code, which only a browser can answer. {_ELSEWHERE}")
CAPTCHA = _person(f"The utility shows a captcha, which only a browser can answer. {_ELSEWHERE}")
QUESTION = _person(f"The utility asks a security question. {_BY_HAND}")
ACCOUNTS = _person(f"The utility wants an account to be chosen. {_BY_HAND}")
CONSENT = _person(
    "The utility wants its terms to be accepted. Log in to its portal once, accept, raise 'attempt' by one."
)
PIN = _person("The utility wants a PIN that this login does not carry. Enter all its fields as 'Login fields'.")

WORKING = _working("The provider is still working on it; the next sync goes on waiting, nothing is submitted again.")
NOT_ASKED = _working(
    "The time for waiting was over before this login was asked for its data; the next sync asks it. Raise 'Longest "
    "wait for data' or 'Requests per second', or spread the logins over several sources.",
    actor=Actor.CONNECTOR,
)
RATE_LIMITED = _working("The provider limits the number of requests: lower 'Requests per second'.", then=Then.SLOW_DOWN)
SESSION_GONE = _working("The link session has ended; the connection itself is asked instead.", then=Then.ASK_CONTEXT)
CONNECTED = Meaning("Connected.", Status.READY, Actor.NOBODY, then=Then.PROCEED)
NO_DATA = _no_data("The utility shows no accounts or bills for this login.")
NO_FILE = _no_data("The provider has no file of this bill.")

PROVIDER_DOWN = _outage("The provider does not answer properly. The next sync tries again.", actor=Actor.PROVIDER)
UTILITY_DOWN = _outage("The utility's portal does not respond. The next sync tries again.", actor=Actor.UTILITY)
BROKEN = _ended(
    "The provider's session at the utility ended in an error. A later sync tries again; tell the provider's support "
    "if it stays.",
    actor=Actor.UTILITY,
)
EXCHANGE_LOST = _ended(
    "The provider did not complete the linking. The next sync links this login once more, at most twice in 24 hours.",
    actor=Actor.PROVIDER,
)

KEYS = _wrong(
    "The provider refused the keys. Check 'Client ID', 'Secret' and 'Environment': each has a secret of its own.",
    then=Then.ASK_KEYS,
)
TOKEN = _wrong(
    "The provider does not know this access token. Link the login again or enter its new token.", then=Then.RELINK
)
NOT_ALLOWED = _wrong(
    "The provider does not allow this request with these keys, although it knows them. Ask its support what is missing."
)
SOURCE = _wrong("The provider does not know this utility. Correct the source ID of this login.")
PRODUCT = _wrong("The sustainability product is not enabled for these keys. Ask the provider to enable it.")
NOT_ACCEPTED = _wrong("The provider did not accept the request. Check the source ID and the login's fields.")
NOT_OURS = _wrong("The provider answered with a code of another product. Ask its support about these keys.")
GONE = _wrong(
    "The provider's sustainability endpoint is gone. See its migration page: "
    "docs.deck.co/migrations/migrating-from-sustainability."
)
SUBMITTED_TWICE = _wrong(
    "This login was submitted twice within 24 hours and the linking was not completed. It is submitted again after "
    "24 hours, or when it changes or 'attempt' is raised."
)
TOO_MANY_LINKS = _wrong(
    "The configuration is too large to remember one more link. Spread the logins over several sources."
)
NO_ROOM = _wrong(
    "There is no room for the provider's document in the folder for temporary files. Free space there, or set TMPDIR.",
    then=Then.RETRY,
)
NO_THREADS = _wrong(
    "The system lets the connector start no thread. Raise its limit of processes (for containers: the pids limit).",
    then=Then.RETRY,
)
UNKNOWN = Meaning(
    "The provider answered in a way that this connector does not know. Report it with the code and the request id.",
    Status.FAILED,
    Actor.CONNECTOR,
    FailureType.system_error,
)

NOT_READY = "PRODUCT_NOT_READY"
INVALID_STATEMENT_ID = "INVALID_STATEMENT_ID"
VALIDATION_FAILED = "VALIDATION_FAILED"
PARTIAL_ACCOUNTS = "PARTIAL_ACCOUNTS"
TWICE = "SUBMITTED_TWICE"


def _by_code(codes: Mapping[Meaning, str]) -> dict[str, Meaning]:
    """Return the meaning of each code, from the codes with each meaning."""
    return {code: meaning for meaning, names in codes.items() for code in names.split()}


ERROR_CODES = _by_code(
    {
        WORKING: NOT_READY,
        RATE_LIMITED: "RATE_LIMIT_EXCEEDED",
        PROVIDER_DOWN: "PLANNED_MAINTENANCE UNEXPECTED_ERROR",
        UTILITY_DOWN: "DATA_SOURCE_NOT_RESPONDING",
        CREDENTIALS: "INVALID_CREDENTIALS",
        LOCKED: "CONNECTION_LOCKED",
        CONSENT: "CONSENT_REQUIRED",
        PIN: "BLOCKED_BY_PIN",
        QUESTION: "SECURITY_QUESTION_NOT_FOUND",
        CAPTCHA: "SECURITY_CAPTCHA_NOT_FOUND",
        BROKEN: "CONNECTION_FAILED",
        NO_DATA: "NO_ACCOUNTS NO_STATEMENTS",
        SESSION_GONE: "INVALID_LINK_TOKEN",
        EXCHANGE_LOST: "INVALID_PUBLIC_TOKEN",
        KEYS: "INVALID_API_KEYS",
        TOKEN: "INVALID_ACCESS_TOKEN CONNECTION_NOT_FOUND NO_ACTIVE_CONNECTION",
        SOURCE: "INVALID_SOURCE DATA_SOURCE_NOT_FOUND NOT_SUPPORTED DOMAIN_BLACKLISTED",
        PRODUCT: "PRODUCT_NOT_ENABLED LIVE_CONNECTIVITY_NOT_ENABLED",
        NOT_ACCEPTED: f"{VALIDATION_FAILED} INVALID_ARGUMENT INVALID_ACCOUNT_ID {INVALID_STATEMENT_ID} INVALID_CURP "
        "INVALID_DOCUMENT_UPLOAD",
        NOT_OURS: "ACTIVE_CONNECTION_EXISTS NO_JOB_FOUND JOB_CANNOT_BE_CANCELED JOB_NOT_RUNNING "
        "IDEMPOTENCY_KEY_INVALID IDEMPOTENCY_KEY_DUPLICATE CORRELATION_ID_INVALID",
    }
)
"""`error_code` of the error object (API notes, section 6.2)."""

LINK_STATUSES = _by_code(
    {
        WORKING: "New Connecting",
        CONNECTED: "Connected",
        CREDENTIALS: "InvalidCredentials",
        BROKEN: "Error",
        METHOD: "MfaMethodChoice",
        CODE: "MfaQuestion MfaQuestionInvalidAnswer MfaQuestionNoAnswer",
        CAPTCHA: "Captcha",
        QUESTION: "SecurityQuestion",
        ACCOUNTS: "AccountSelection",
    }
)
"""Answers of `/link/connection/status` (API notes, section 2.4)."""

REASONS = _by_code(
    {
        WORKING: "New Connecting CredentialsSent ConnectedCredentials ConnectedWaitingOnDataExtraction WaitingForJob "
        "ExecutingJob CompletedJob RetryLater",
        CONNECTED: "DataFound",
        NO_DATA: "NoDataFound NoStatement",
        CREDENTIALS: "InvalidCredentials",
        METHOD: "MfaMethodChoiceRequired",
        CODE: "MfaCodeRequired MfaCodeInvalid MfaCodeTimeout MfaActionRequired",
        QUESTION: "SecurityAnswerRequired SecurityAnswerInvalid SecurityQuestionTimeout SecurityAnswerTimeout",
        ACCOUNTS: "AccountSelectionRequired",
        PIN: "BlockedByPin",
        BROKEN: "Error",
    }
)
"""`connection_status_reason` of `/connection/context` (API notes, section 3.1)."""

NO_ANSWER = _by_code(
    {
        PROVIDER_DOWN: "UNREACHABLE TLS_FAILED TIMEOUT CONNECTION_BROKEN",
        UNKNOWN: "ANSWER_TOO_LARGE",
        NO_ROOM: "NO_TEMPORARY_SPACE",
        NO_THREADS: "NO_THREADS",
    }
)
"""Failures of the transport (`transport.Unreachable`)."""

HTTP_STATUSES = {401: KEYS, 408: PROVIDER_DOWN, 429: RATE_LIMITED}

_AT_DEADLINE = _by_code(
    {RATE_LIMITED: "RATE_LIMIT_EXCEEDED HTTP_429", NOT_ASKED: "NOT_ASKED_YET", PROVIDER_DOWN: "TIMEOUT"}
)
"""Reasons of a wait that mean something else than work in progress; the last two are ours."""


def of_answer(error_code: str | None, http_status: int) -> Meaning:
    """Classify an error answer: by its `error_code` if we know it, then by its HTTP status."""
    meaning = ERROR_CODES.get(error_code or "") or HTTP_STATUSES.get(http_status)
    return meaning or (PROVIDER_DOWN if http_status >= 500 else UNKNOWN)  # noqa: PLR2004 - the class of server errors


def of_link_status(status: str) -> Meaning:
    """Classify a link status; one we do not know is progress, and the deadline ends the wait."""
    return LINK_STATUSES.get(status, WORKING)


def of_context(status: str | None, reason: str | None) -> Meaning:
    """Classify the health of a connection; a reason that we do not know is progress, unless its status is Error."""
    return REASONS.get(reason or "") or (BROKEN if status == "Error" else WORKING)


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


def of_wait(reason: str) -> Outcome:
    """Return the outcome of a login that is still waited for at the deadline; `reason` is the provider's latest."""
    return outcome(reason, _AT_DEADLINE.get(reason, WORKING))


def of_problem(problem: Problem) -> Outcome:
    """Make the outcome of a login that ended with a problem."""
    return outcome(problem.reason, problem.meaning, problem.detail)


def of_refusal(reason: str) -> Outcome:
    """Return the outcome of a login that was refused before: reported again, without submitting it again."""
    known = {**ERROR_CODES, **REASONS, **LINK_STATUSES}
    return outcome(reason, known.get(reason, CREDENTIALS))
