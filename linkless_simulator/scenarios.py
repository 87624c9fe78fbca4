"""The stories: what happens to a login, chosen by its name up to a plus sign (`user_good`, `slow+17`).

Adding a story is adding a row. A name that is not here is a login that no utility knows: InvalidCredentials.
"""

from collections.abc import Mapping

from linkless_simulator.answers import Fault
from linkless_simulator.bills import Sizes
from linkless_simulator.situations import (
    CAPTCHA,
    CONNECTING,
    EXTRACTING,
    FAILED,
    FAILED_WITH_DATA,
    MFA_CODE,
    MFA_LATE_WITH_DATA,
    MFA_METHOD,
    MFA_REPLY,
    NOT_READY,
    READY,
    REFUSED,
    SECURITY,
    SECURITY_REPLY,
    SELECTION,
    product_says,
    working,
)
from linkless_simulator.sources import PIN
from linkless_simulator.stages import Choice, Looks, Seconds, Situation, Stage
from linkless_simulator.story import (
    Story,
    after_login,
    connect_says,
    delivers,
    ends,
    exchange_says,
    passing,
    product,
    says,
)

_TEXT = (("content-type", "text/plain"),)
_HTML = (("content-type", "text/html"),)
_NOT_FOUND = Fault(None, 404, _TEXT, b"Not Found")
_GONE = Fault(None, 410, _TEXT, b"Gone")
_SERVER_ERROR = Fault(None, 500, _TEXT, b"Internal Server Error")
_BAD_GATEWAY = Fault(None, 502, _HTML, b"<html><body><h1>502 Bad Gateway</h1></body></html>")
_SLOW_DOWN = Fault("RATE_LIMIT_EXCEEDED", 429, (("retry-after", "2"),))
_HALF = Fault(None, 200, body=b'{"accounts": [{"account_number": "1')
_MAINTENANCE = Fault("PLANNED_MAINTENANCE", 503)
_NOT_READY_200 = Fault("PRODUCT_NOT_READY", 200)
_NO_LINK = Fault("INVALID_LINK_TOKEN")
_NO_TOKEN = Fault("CONNECTION_NOT_FOUND")

_DATA = (Stage(EXTRACTING, Looks(2)), Stage(READY))
_CODE_ASKED = after_login(Stage(MFA_CODE, MFA_REPLY), *_DATA)
_PET_ASKED = after_login(Stage(SECURITY, SECURITY_REPLY), *_DATA)
_ACCOUNTS_ASKED = after_login(Stage(SELECTION, Choice()), *_DATA)
_REFUSED = after_login(Stage(REFUSED))
_FAILED = after_login(Stage(FAILED))
_READY = after_login(Stage(READY))
_REFRESHING = Stage(working("ExecutingJob"), Looks(1))
_REFRESHING_CODE = Stage(working("MfaCodeRequired"), Looks(1))

_FORGOTTEN = Situation(_NO_LINK, "Connected", "DataFound", _NO_TOKEN, _NO_TOKEN)
_UNLINKED = Situation(_NO_LINK, "Connected", "ConnectedCredentials", NOT_READY)
_UNLINKED_READY = Situation(_NO_LINK, "Connected", "DataFound")
_HIDDEN = Situation("Connected", "Connected", "DataFound", NOT_READY, _NOT_FOUND)
_HIDDEN_READY = Situation("Connected", "Connected", "DataFound", None, _NOT_FOUND)
_STATUS_DOWN = Situation(_SERVER_ERROR, product=NOT_READY)

STORIES: Mapping[str, Story] = {
    # It works
    "user_good": Story(
        "Connected after two looks, product not ready twice, then data",
        (Stage(CONNECTING, Looks(2)), *_DATA),
    ),
    "instant": Story("Connected and data at the first look", (Stage(READY),)),
    "slow": Story(
        "Connecting for 10 s, then 20 s without data, by the clock",
        (Stage(CONNECTING, Seconds(10)), Stage(EXTRACTING, Seconds(20)), Stage(READY)),
    ),
    "large": delivers("20 accounts x 120 bills x 12 charges", sizes=Sizes(20, 120, 12)),
    "corrected": delivers(
        "From the second delivery on: an old bill corrected, a late old one there, one gone", "corrected"
    ),
    "growing": delivers("One new bill per account with every delivery", "growing"),
    "catching_up": delivers("The first delivery lacks the bills of the last two weeks", "catching_up"),
    "awkward": delivers("Nine accounts, one for each of the nine stories below", "awkward", Sizes(9, 12)),
    "gap": delivers("One bill is missing", "gap"),
    "overlap": delivers("A period begins ten days before the one before it ends", "overlap"),
    "rebilled": delivers("A bill, its reversal, and a new bill for the same period", "rebilled"),
    "two_services": delivers("Gas and water on one bill, each with lines of its own", "two_services"),
    "components": delivers("Supply, delivery and tax on one quantity, and a demand", "components"),
    "budget": delivers("The same instalment every month, whatever the lines say", "budget"),
    "credit": delivers("A credit balance of 300, so that nothing is due", "credit"),
    "inclusive": delivers("The end of a period is its last day, not the day after", "inclusive"),
    "estimated": delivers("A bill by estimate, then one by the meter for the same period", "estimated"),
    "partial": delivers("The context promises 3 accounts, the document holds 2", "partial", Sizes(3)),
    "undocumented": delivers("Undocumented fields at every level", "undocumented"),
    "invoices": delivers("The older envelope, with invoices instead of statements", "invoices"),
    "flat_refused": Story("Connect takes fields[] only, at every source", _READY, flat_refused=True),
    "pin": Story("Connect wants a third field, pin_code; 1234 is right", _READY, wants=(PIN,)),
    "link_expires": Story(
        "The link token dies after one look at the login, which goes on",
        after_login(Stage(_UNLINKED, Looks(2)), Stage(_UNLINKED_READY)),
    ),
    "no_context": Story(
        "Context answers 404; product not ready twice, then data",
        after_login(Stage(_HIDDEN, Looks(2)), Stage(_HIDDEN_READY)),
    ),
    "unknown_reason": Story(
        "An undocumented reason while the product is not ready three times, then data",
        after_login(Stage(working("Daydreaming"), Looks(3)), Stage(READY)),
    ),
    "files_missing": Story("There is no file of any bill", _READY, file=Fault("INVALID_STATEMENT_ID")),
    "files_not_found": Story("The files of bills answer 404", _READY, file=_NOT_FOUND),
    "files_broken": Story(
        "The files of bills answer an error object under a 200", _READY, file=Fault("UNEXPECTED_ERROR", 200)
    ),
    "files_scanned": Story("The files of bills are pictures", _READY, pictures=True),
    # There is nothing to deliver
    "empty": Story("Delivers no accounts", _READY, document="empty", promises_accounts=False),
    "no_bills": delivers("Delivers accounts without statements", "no_bills"),
    "no_accounts": ends("Product answers NO_ACCOUNTS", product_says(Fault("NO_ACCOUNTS")), promises_accounts=False),
    "no_statements": says("NO_STATEMENTS"),
    "no_data_found": ends("Product never ready, reason NoDataFound", working("NoDataFound"), promises_accounts=False),
    "no_statement_found": ends("Product never ready, reason NoStatement", working("NoStatement")),
    # It takes too long
    "never_connects": Story("Connecting without end", (Stage(CONNECTING),)),
    "never_ready": ends("Product never ready, reason ConnectedWaitingOnDataExtraction", EXTRACTING),
    "retry_later": ends("Product never ready, reason RetryLater", working("RetryLater")),
    # A person is needed
    "wrong_password": Story("The utility refuses every password", _REFUSED, _REFUSED),
    "invalid_credentials": says("INVALID_CREDENTIALS"),
    "locked": connect_says("Connect answers CONNECTION_LOCKED", Fault("CONNECTION_LOCKED")),
    "consent": connect_says("Connect answers CONSENT_REQUIRED", Fault("CONSENT_REQUIRED")),
    "blocked_by_pin": says("BLOCKED_BY_PIN", "BlockedByPin"),
    "blocked_reason": ends("Product never ready, reason BlockedByPin", working("BlockedByPin")),
    "mfa": Story("A code is asked for; 123456 is right", _CODE_ASKED),
    "mfa_method": ends("A person must choose how to get the code", MFA_METHOD),
    "captcha": ends("A captcha is asked for", CAPTCHA),
    "security_question": Story("A security question is asked; rex is right", _PET_ASKED),
    "account_selection": Story("Accounts must be selected; then data of those", _ACCOUNTS_ASKED),
    "needs_action": ends("Product never ready, reason MfaActionRequired", working("MfaActionRequired")),
    # It fails, and somebody must act
    "error": Story("The login ends in Error; a refresh heals it", _FAILED),
    "error_again": Story("The login ends in Error, and so does every refresh", _FAILED, _FAILED),
    "connection_failed": says("CONNECTION_FAILED"),
    "not_enabled": says("PRODUCT_NOT_ENABLED"),
    "live_not_enabled": says("LIVE_CONNECTIVITY_NOT_ENABLED"),
    "source_unknown": connect_says("Connect answers INVALID_SOURCE", Fault("INVALID_SOURCE")),
    "source_gone": connect_says("Connect answers DATA_SOURCE_NOT_FOUND", Fault("DATA_SOURCE_NOT_FOUND")),
    "forgotten": Story(
        "The access token is unknown after one delivery; linking again works",
        after_login(Stage(READY, Looks(1)), Stage(_FORGOTTEN)),
    ),
    "invalid_token": says("INVALID_ACCESS_TOKEN"),
    "unauthorized": product("Product answers 401 although the keys are good", Fault(None, 401)),
    "invalid_keys": product(
        "Product answers INVALID_API_KEYS although the keys are good", Fault("INVALID_API_KEYS", 401)
    ),
    "product_gone": product("Product answers 404", _NOT_FOUND),
    "product_gone_410": product("Product answers 410", _GONE),
    # It breaks, and may heal
    "outage_twice": passing("Product answers 500 twice, then data", _SERVER_ERROR, 2),
    "outage": product("Product always answers 500", _SERVER_ERROR),
    "html_error": product("Product always answers 502 with an HTML page", _BAD_GATEWAY),
    "status_outage_twice": Story("Status answers 500 twice, then data", (Stage(_STATUS_DOWN, Looks(2)), Stage(READY))),
    "rate_limited": passing("Product answers 429 with Retry-After: 2 once, then data", _SLOW_DOWN),
    "maintenance": passing("Product answers PLANNED_MAINTENANCE once, then data", _MAINTENANCE),
    "not_responding": passing(
        "Product answers DATA_SOURCE_NOT_RESPONDING once, then data", Fault("DATA_SOURCE_NOT_RESPONDING")
    ),
    "unexpected_error": passing("Product answers UNEXPECTED_ERROR once, then data", Fault("UNEXPECTED_ERROR", 500)),
    "connect_500": connect_says("Connect answers 500", _SERVER_ERROR),
    "connect_maintenance": connect_says("Connect answers PLANNED_MAINTENANCE", _MAINTENANCE),
    "exchange_500": exchange_says("Exchange answers 500", _SERVER_ERROR),
    "exchange_refused": exchange_says("Exchange answers INVALID_PUBLIC_TOKEN", Fault("INVALID_PUBLIC_TOKEN")),
    "refresh_fails": Story(
        "A refresh ends in Error; the data stays readable", _READY, (_REFRESHING, Stage(FAILED_WITH_DATA))
    ),
    "refresh_refused": Story("Refresh answers CONNECTION_FAILED", _READY, refresh=Fault("CONNECTION_FAILED")),
    "refresh_mfa": Story(
        "A refresh wants a code that nobody gives; the data stays readable",
        _READY,
        (_REFRESHING_CODE, Stage(MFA_LATE_WITH_DATA)),
    ),
    # The answers of these are undocumented
    "error_200": passing("Product answers PRODUCT_NOT_READY under a 200 twice, then data", _NOT_READY_200, 2),
    "unknown_code": says("SOMETHING_NEW"),
    "unknown_status": ends("An undocumented status that never changes", Situation("Pondering", product=NOT_READY)),
    "unknown_shape": delivers("Delivers an undocumented envelope", "unknown_shape"),
    "broken": product("Product answers 200 with half a document", _HALF),
}


def story_of(username: str) -> Story:
    """Return the story of a login name; `wrong_password` when it names none."""
    return STORIES.get(username.split("+", 1)[0], STORIES["wrong_password"])
