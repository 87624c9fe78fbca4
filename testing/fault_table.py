"""What every fault leads to: the table of the matrix in `test_faults`.

fault ──► Effect, and the connector's word for it        what the connector makes of what it sees
endpoint, Effect ──► Row                                 requests, row of `connections`, end of the sync
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from airbyte_cdk.models import FailureType

from source_linkless.errors import Then

CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error
KEYS, CREATE, SOURCES, CONNECT = "/test/api_keys", "/link/token/create", "/link/sources", "/link/connect"
EXCHANGE, STATUS = "/connection/public_token/exchange", "/link/connection/status"
CONTEXT, PRODUCT, REFRESH = "/connection/context", "/sustainability/get", "/connection/refresh"
FILE = "/sustainability/statement/file"
MINUTES = 5
"""Longest wait of a sync in the matrix."""


class Effect(Enum):
    """What a fault is to the connector."""

    FINE = auto()  # an answer like any other
    LIMITED = auto()  # come again in a moment
    HELD = auto()  # come again in a thousand years
    DOWN = auto()  # no answer, half an answer, an outage
    ODD = auto()  # an undocumented answer
    BARE = auto()  # a success without a body
    GARBLED = auto()  # the same, but for a document it is one that cannot be read
    UNKEYED = auto()  # 401


EFFECTS: dict[str, tuple[Effect, str]] = {
    **dict.fromkeys(("reset", "closed", "reset_halfway", "closed_halfway"), (Effect.DOWN, "CONNECTION_BROKEN")),
    **dict.fromkeys(("not_http", "endless_header", "many_headers"), (Effect.DOWN, "CONNECTION_BROKEN")),
    **dict.fromkeys(("too_short", "chunks_cut", "chunks_odd"), (Effect.DOWN, "CONNECTION_BROKEN")),
    **dict.fromkeys(("chunks_negative", "closed_in_headers"), (Effect.DOWN, "CONNECTION_BROKEN")),
    **dict.fromkeys(("gzip_cut", "gzip_not"), (Effect.DOWN, "CONNECTION_BROKEN")),
    **dict.fromkeys(("silent", "drip", "slow_body"), (Effect.DOWN, "TIMEOUT")),
    **dict.fromkeys(("http_500", "large_error"), (Effect.DOWN, "HTTP_500")),
    "http_502": (Effect.DOWN, "HTTP_502"),
    "http_503": (Effect.DOWN, "HTTP_503"),
    "http_504": (Effect.DOWN, "HTTP_504"),
    **dict.fromkeys(("error_under_200", "code_large", "code_spelt"), (Effect.DOWN, "UNEXPECTED_ERROR")),
    "code_number": (Effect.DOWN, "HTTP_503"),
    **dict.fromkeys(("limited", "limited_seconds", "limited_date"), (Effect.LIMITED, "HTTP_429")),
    **dict.fromkeys(("limited_past", "limited_nonsense"), (Effect.LIMITED, "HTTP_429")),
    "limited_coded": (Effect.LIMITED, "RATE_LIMIT_EXCEEDED"),
    "limited_absurd": (Effect.HELD, "HTTP_429"),
    "http_401": (Effect.UNKEYED, "HTTP_401"),
    **dict.fromkeys(("page", "empty", "array", "too_long"), (Effect.GARBLED, "HTTP_200")),
    **dict.fromkeys(("deep", "invalid_utf8"), (Effect.GARBLED, "HTTP_200")),
    "no_content": (Effect.BARE, "HTTP_204"),
    "accepted": (Effect.BARE, "HTTP_202"),
    "encrypted": (Effect.ODD, "ENCRYPTED_ANSWER"),
    **{f"redirect_{status}": (Effect.ODD, f"HTTP_{status}") for status in (301, 302, 307, 308)},
    **dict.fromkeys(("bomb", "bulk", "document", "packed_document", "length_absurd"), (Effect.ODD, "ANSWER_TOO_LARGE")),
    **dict.fromkeys(("chunks", "two_answers", "gzip", "wrong_type", "duplicate_keys", "u2028"), (Effect.FINE, "")),
    **dict.fromkeys(("odd_header", "http_201", "http_202", "gzip_members"), (Effect.FINE, "")),
    **dict.fromkeys(("beyond_64_bits", "nan", "float_1e400", "digits_400"), (Effect.FINE, "")),
    **dict.fromkeys(("half_a_character", "half_escaped", "byte_order_mark"), (Effect.FINE, "")),
}
"""Every fault on the wire."""

READ_IN_A_DOCUMENT = ("deep",)
"""What makes a small answer unreadable and costs a document one value."""
A_DOCUMENT = ("bulk", "document", "packed_document")
"""What is one where a document is expected."""
NEVER_CARRIED_OUT = (Effect.LIMITED, Effect.HELD, Effect.UNKEYED)
"""Answers by which the provider says that it did nothing."""

EACH_CLASS = (
    *(
        "closed",
        "closed_in_headers",
        "chunks_negative",
        "reset_halfway",
        "slow_body",
        "too_short",
        "chunks_cut",
        "gzip_cut",
    ),
    *("http_502", "large_error", "error_under_200", "limited", "limited_date", "limited_absurd", "http_401"),
    *(
        "page",
        "too_long",
        "deep",
        "redirect_307",
        "encrypted",
        "bulk",
        "accepted",
        "length_absurd",
        "nan",
        "duplicate_keys",
        "gzip",
        "two_answers",
        "odd_header",
        "http_201",
    ),
)
"""At least one fault of each class, for the endpoints that submit nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """How often the path is asked in the first sync, and how the login ends.

    `reason`: of the row, where it is not the reason code of the fault; "" for none.
    """

    asked: int
    status: str
    actor: str
    failure: FailureType | None
    reason: str | None = None


def _ready(asked: int) -> Row:
    return Row(asked, "ready", "nobody", None, "")


def _lost(asked: int = 1, reason: str | None = None) -> Row:
    return Row(asked, "failed", "provider", CONFIG, reason)


def _pending(reason: str | None = None) -> Row:
    return Row(1, "pending", "provider", TRANSIENT, reason)


_ODD = Row(1, "failed", "connector", SYSTEM)
_UNREADABLE = Row(1, "failed", "connector", SYSTEM, "UNREADABLE_DOCUMENT")
_USER = Row(1, "failed", "user", CONFIG)
_OUTAGE = Row(4, "failed", "provider", TRANSIENT)
_HEALED = {Effect.FINE: _ready(1), Effect.LIMITED: _ready(2), Effect.DOWN: _ready(2)}
_STRANGE = dict.fromkeys((Effect.ODD, Effect.BARE, Effect.GARBLED), _ODD)
_READ = {**_HEALED, **_STRANGE, Effect.HELD: _pending(), Effect.UNKEYED: _USER}
_ONCE = {**_READ, Effect.DOWN: _lost()}
_ADDS_FACTS = {**dict.fromkeys(Effect, _ready(1)), Effect.LIMITED: _ready(2), Effect.DOWN: _ready(2)}

ROWS: dict[str, dict[Effect, Row]] = {
    CONNECT: _ONCE,
    EXCHANGE: {**_ONCE, Effect.HELD: _lost(reason="TIMEOUT")},
    KEYS: {
        **_ADDS_FACTS,
        Effect.HELD: Row(1, "pending", "connector", TRANSIENT, "NOT_ASKED_YET"),
        Effect.UNKEYED: _USER,
    },
    CREATE: _READ,
    STATUS: _READ,
    CONTEXT: _ADDS_FACTS,
    PRODUCT: {**_READ, Effect.GARBLED: _UNREADABLE},
}
"""What one fault leads to, for a login that works in every other respect."""

FOR_EVER: dict[str, Row] = {KEYS: _OUTAGE, CREATE: _OUTAGE, STATUS: _OUTAGE, PRODUCT: _OUTAGE, CONTEXT: _ready(4)}
"""What an outage of one endpoint leads to that does not end."""


_STALE = Row(1, "ready", "provider", None)
REFRESHES: dict[Effect, Row] = {
    Effect.FINE: _ready(1),
    Effect.LIMITED: _ready(2),
    Effect.HELD: Row(1, "pending", "provider", TRANSIENT, "HTTP_429"),
    Effect.DOWN: _STALE,
    Effect.ODD: Row(1, "ready", "connector", None),
    Effect.BARE: _ready(1),
    Effect.GARBLED: _ready(1),  # its answer has no body that anybody reads
    Effect.UNKEYED: Row(1, "ready", "user", None),
}
"""What a fault of a refresh leads to: it is sent once, and the data of before is delivered all the same."""


def row_of(path: str, fault: str) -> tuple[Row, str]:
    """Return what a fault at an endpoint leads to, and the reason of the login's row ("" for none)."""
    effect, reason = EFFECTS[fault]
    row = ROWS[path][effect]
    if path == PRODUCT and fault in READ_IN_A_DOCUMENT:
        row, reason = _ready(1), ""
    if path == KEYS and fault == "encrypted":
        row = _ready(1)
    return row, reason if row.reason is None else row.reason


FILES: dict[Effect, Then] = {
    Effect.LIMITED: Then.SLOW_DOWN,
    Effect.HELD: Then.SLOW_DOWN,
    Effect.DOWN: Then.RETRY,
    Effect.ODD: Then.STOP,
    Effect.BARE: Then.STOP,
    Effect.GARBLED: Then.STOP,
    Effect.UNKEYED: Then.ASK_KEYS,
}
"""What a fault of the file of a bill asks for; with Effect.FINE the file arrives."""
NO_FILES = ("nan", "deep", "duplicate_keys", "bulk")
"""Faults of JSON: a file that begins as JSON is none."""
