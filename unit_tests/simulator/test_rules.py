"""The rules of the imitated API, asked without a server."""

import json
from dataclasses import replace
from typing import Any

import pytest

from linkless_simulator.answers import Answer
from linkless_simulator.bills import accounts_of
from linkless_simulator.faults import Planned
from linkless_simulator.sources import FIELDS_ONLY, ORDINARY, WITH_PIN
from linkless_simulator.story import ready_after
from testing.simulator_talk import KEYS, SMALL, Talk

NOT_READY = (400, "PRODUCT_NOT_READY")
PRODUCT = "/sustainability/get"
STATUS = "/link/connection/status"


@pytest.fixture
def talk() -> Talk:
    """Return a backend to talk to."""
    return Talk()


def statuses(talk: Talk, path: str, times: int, **body: Any) -> list[int]:
    """Send the same request several times and return the statuses."""
    return [talk.raw(path, body).status for _ in range(times)]


# The way of the provider's guide


def test_a_good_login_goes_the_way_of_the_guide(talk: Talk) -> None:
    """Connected after two looks, not ready twice with the documented error object, then the document."""
    linked = talk.handshake("user_good")
    assert [talk.status(linked.link_token) for _ in range(4)] == ["Connecting", "Connecting", "Connected", "Connected"]
    answers = [talk.raw(PRODUCT, {"access_token": linked.access_token}) for _ in range(3)]
    assert [answer.status for answer in answers] == [400, 400, 200]
    assert json.loads(answers[0].body) == {
        "error_category": "CONNECTION_ERROR",
        "error_code": "PRODUCT_NOT_READY",
        "error_message": "This connection is still ongoing, try again later",
        "display_message": None,
    }
    delivered = json.loads(answers[2].body)
    assert (delivered["username"], delivered["source_name"]) == ("user_good", ORDINARY.name)
    assert delivered == talk.backend.document("user_good")


def test_any_look_moves_a_login_on(talk: Talk) -> None:
    """A connection whose link token is lost connects by context and product calls alone."""
    access_token = talk.handshake("user_good").access_token
    assert talk.reason(access_token) == ("Connecting", "Connecting")
    assert talk.refusal(PRODUCT, access_token=access_token) == NOT_READY
    assert talk.reason(access_token) == ("Connected", "ConnectedWaitingOnDataExtraction")


def test_context_counts_no_look_at_the_product(talk: Talk) -> None:
    """However often the context is asked, the product is not ready exactly twice."""
    linked = talk.handshake("user_good")
    for _ in range(9):
        talk.reason(linked.access_token)
    assert statuses(talk, PRODUCT, 3, access_token=linked.access_token) == [400, 400, 200]
    assert talk.reason(linked.access_token) == ("Connected", "DataFound")


def test_context_names_the_accounts_of_the_document(talk: Talk) -> None:
    """num_of_entities and entities agree with what is delivered; the time is that of the session."""
    access_token = talk.backend.link("instant", days_ago=2)
    context = talk.post("/connection/context", access_token=access_token)
    numbers = [account["account_number"] for account in talk.backend.document("instant")["accounts"]]
    assert [entity["account_number"] for entity in context["entities"]] == numbers
    assert context["num_of_entities"] == len(numbers)
    assert context["provider"] == {"id": ORDINARY.source_id, "name": ORDINARY.name}
    assert context["connection_status_timestamp"] == "2026-11-20T12:00:00Z"


def test_status_is_new_before_anything_was_submitted(talk: Talk) -> None:
    """A session without a connect is New, and has no question and no accounts."""
    link_token = talk.link_token()
    assert talk.status(link_token) == "New"
    assert talk.refusal("/link/account/list", link_token=link_token) == (400, "INVALID_LINK_TOKEN")


# Keys


@pytest.mark.parametrize("spoilt", ["x-deck-client-id", "x-deck-secret"])
@pytest.mark.parametrize("value", [None, "wrong"])
def test_missing_or_wrong_keys_answer_401(talk: Talk, spoilt: str, value: str | None) -> None:
    """Endpoints that need keys refuse without them; the body is a message, not an error object."""
    headers = {name: text for name, text in (KEYS | {spoilt: value}).items() if text is not None}
    for method, path in (("GET", "/test/api_keys"), ("POST", "/link/token/create"), ("POST", PRODUCT)):
        answer = talk.backend.answer(method, path, headers, b"{}")
        assert (answer.status, json.loads(answer.body)) == (401, {"message": "Unauthorized"})


def test_link_calls_need_no_keys(talk: Talk) -> None:
    """The link token identifies a session."""
    body = json.dumps({"link_token": talk.link_token()}).encode()
    answer = talk.backend.answer("POST", STATUS, {"Content-Type": "application/json"}, body)
    assert answer.status == 200


def test_good_keys_are_confirmed_until_they_are_revoked(talk: Talk) -> None:
    """GET /test/api_keys answers 200 without a body, and 401 after revoke_keys."""
    good = talk.backend.answer("GET", "/test/api_keys", KEYS, b"")
    assert (good.status, good.body) == (200, b"")
    talk.backend.revoke_keys()
    assert talk.backend.answer("GET", "/test/api_keys", KEYS, b"").status == 401


@pytest.mark.parametrize(("method", "path"), [("POST", "/link/info"), ("GET", PRODUCT), ("POST", "")])
def test_an_operation_outside_the_contract_answers_404(talk: Talk, method: str, path: str) -> None:
    """Unknown paths and methods are not found."""
    assert talk.backend.answer(method, path, KEYS, b"{}").status == 404


# Tokens


def test_a_public_token_works_once(talk: Talk) -> None:
    """The second exchange is refused."""
    public_token = talk.connect(talk.link_token(), "user_good")["public_token"]
    talk.post("/connection/public_token/exchange", public_token=public_token)
    refusal = talk.refusal("/connection/public_token/exchange", public_token=public_token)
    assert refusal == (400, "INVALID_PUBLIC_TOKEN")


def test_a_public_token_lives_thirty_minutes(talk: Talk) -> None:
    """After that it cannot be exchanged."""
    public_token = talk.connect(talk.link_token(), "user_good")["public_token"]
    talk.clock.forward(30 * 60)
    refusal = talk.refusal("/connection/public_token/exchange", public_token=public_token)
    assert refusal == (400, "INVALID_PUBLIC_TOKEN")


def test_a_link_token_lives_twenty_minutes(talk: Talk) -> None:
    """After that status and connect refuse it; the connection goes on."""
    linked = talk.handshake("slow")
    talk.clock.forward(20 * 60)
    assert talk.refusal(STATUS, link_token=linked.link_token) == (400, "INVALID_LINK_TOKEN")
    assert talk.reason(linked.access_token) == ("Connected", "DataFound")


def test_a_link_token_takes_one_login(talk: Talk) -> None:
    """A session that is under way cannot be used again."""
    linked = talk.handshake("user_good")
    body = {"source_id": ORDINARY.source_id, "username": "user_good", "password": "pass_good"}
    refusal = talk.refusal("/link/connect", link_token=linked.link_token, **body)
    assert refusal == (400, "INVALID_LINK_TOKEN")


def test_unknown_tokens_are_refused(talk: Talk) -> None:
    """An access token of this environment names no connection; any other text is no access token."""
    assert talk.refusal(PRODUCT, access_token="access-sandbox-0") == (400, "CONNECTION_NOT_FOUND")
    assert talk.refusal(PRODUCT, access_token="access-production-0") == (400, "INVALID_ACCESS_TOKEN")
    assert talk.refusal(STATUS, link_token="link-sandbox-0") == (400, "INVALID_LINK_TOKEN")


def test_a_destroyed_connection_is_gone(talk: Talk) -> None:
    """Destroy deletes the connection; the login may be linked again, under another token."""
    first = talk.handshake("instant").access_token
    talk.post("/connection/destroy", access_token=first)
    assert talk.refusal(PRODUCT, access_token=first) == (400, "CONNECTION_NOT_FOUND")
    second = talk.handshake("instant").access_token
    assert second != first
    assert statuses(talk, PRODUCT, 1, access_token=second) == [200]


# Passwords and login forms


def test_a_wrong_password_may_be_corrected_in_the_same_session(talk: Talk) -> None:
    """After InvalidCredentials the same link token takes another connect, for the same connection."""
    linked = talk.handshake("user_good", "pass_bad")
    assert [talk.status(linked.link_token) for _ in range(2)] == ["Connecting", "InvalidCredentials"]
    assert talk.reason(linked.access_token) == ("Disconnected", "InvalidCredentials")
    assert talk.refusal(PRODUCT, access_token=linked.access_token) == (400, "INVALID_CREDENTIALS")
    public_token = talk.connect(linked.link_token, "user_good")["public_token"]
    assert [talk.status(linked.link_token) for _ in range(3)] == ["Connecting", "Connecting", "Connected"]
    again = talk.post("/connection/public_token/exchange", public_token=public_token)
    assert again["access_token"] == linked.access_token


def test_three_wrong_passwords_lock_the_account(talk: Talk) -> None:
    """Then even the right one is refused, until the account is unlocked; a right one clears the count."""
    for password in ("pass_bad", "pass_bad", "pass_good", "pass_bad", "pass_bad", "pass_bad"):
        talk.handshake("user_good", password)
    body = {"source_id": ORDINARY.source_id, "username": "user_good", "password": "pass_good"}
    refusal = talk.refusal("/link/connect", link_token=talk.link_token(), **body)
    assert refusal == (400, "CONNECTION_LOCKED")
    assert talk.backend.submissions("user_good") == 6
    talk.backend.unlock("user_good")
    talk.handshake("user_good")
    assert talk.backend.submissions("user_good") == 7


def test_a_login_nobody_knows_is_refused(talk: Talk) -> None:
    """A name without a story gets InvalidCredentials, so that a slip of the pen does not pass."""
    linked = talk.handshake("user_godo")
    assert [talk.status(linked.link_token) for _ in range(2)] == ["Connecting", "InvalidCredentials"]


def test_sources_are_found_by_id_by_name_or_all(talk: Talk) -> None:
    """/link/sources finds by id, whatever is searched for, by part of the name, or lists the most common."""
    link_token = talk.link_token()

    def found(**body: Any) -> list[str]:
        return [s["name"] for s in talk.post("/link/sources", link_token=link_token, **body)["sources"]]

    assert found(source_id=WITH_PIN.source_id.upper(), search="zzz") == [WITH_PIN.name]
    assert found(source_id="00000000-0000-0000-0000-000000000000") == []
    assert found(search="ELECTRIC") == [FIELDS_ONLY.name]
    assert len(found()) == 4


def test_a_source_nobody_knows_is_refused(talk: Talk) -> None:
    """Connect with an unknown source_id answers INVALID_SOURCE and submits nothing."""
    unknown = {"source_id": "00000000-0000-0000-0000-000000000000", "username": "user_good", "password": "pass_good"}
    assert talk.refusal("/link/connect", link_token=talk.link_token(), **unknown) == (400, "INVALID_SOURCE")
    assert talk.backend.submissions("user_good") == 0


@pytest.mark.parametrize(
    ("username", "source"), [("user_good", FIELDS_ONLY), ("flat_refused", ORDINARY), ("pin", ORDINARY)]
)
def test_the_flat_form_is_refused_where_fields_are_wanted(talk: Talk, username: str, source: Any) -> None:
    """400 VALIDATION_FAILED, nothing is submitted, and the session can still be used."""
    link_token = talk.link_token()
    body = {"source_id": source.source_id, "username": username, "password": "pass_good"}
    refusal = talk.refusal("/link/connect", link_token=link_token, **body)
    assert refusal == (400, "VALIDATION_FAILED")
    assert talk.backend.submissions(username) == 0
    assert talk.status(link_token) == "New"


@pytest.mark.parametrize("source", [ORDINARY, FIELDS_ONLY])
def test_fields_are_named_by_the_source(talk: Talk, source: Any) -> None:
    """The names that /link/sources gives are the ones that connect takes; the exchange repeats the plain ones."""
    link_token = talk.link_token()
    sources = talk.post("/link/sources", link_token=link_token, source_id=source.source_id)["sources"]
    names = [field["field_name"] for field in sources[0]["fields"]]
    fields = [{"field_name": n, "field_value": v} for n, v in zip(names, ("instant", "pass_good"), strict=True)]
    body = {"link_token": link_token, "source_id": source.source_id}
    assert talk.refusal("/link/connect", **body, fields=fields[:1]) == (400, "VALIDATION_FAILED")
    public_token = talk.post("/link/connect", **body, fields=fields)["public_token"]
    exchanged = talk.post("/connection/public_token/exchange", public_token=public_token)
    assert exchanged["fields"] == [{"field_name": names[0], "field_value": "instant"}]
    assert talk.status(link_token) == "Connected"
    assert talk.backend.journal[-2].username == "instant"


@pytest.mark.parametrize(
    ("username", "source", "names"),
    [("instant", WITH_PIN, ("customer", "password")), ("pin", ORDINARY, ("login_name", "login_secret"))],
)
@pytest.mark.parametrize(("pin", "status"), [("1234", "Connected"), ("0000", "InvalidCredentials")])
def test_a_login_may_want_a_pin(
    talk: Talk, username: str, source: Any, names: tuple[str, str], pin: str, status: str
) -> None:
    """A third field is required and must be right."""
    values = dict(zip((*names, "pin_code"), (username, "pass_good", pin), strict=True))
    fields = [{"field_name": name, "field_value": value} for name, value in values.items()]
    link_token = talk.link_token()
    body = {"link_token": link_token, "source_id": source.source_id}
    assert talk.refusal("/link/connect", **body, fields=fields[:2]) == (400, "VALIDATION_FAILED")
    talk.post("/link/connect", **body, fields=fields)
    assert [talk.status(link_token) for _ in range(2)][-1] == status


# Update mode and refresh


def test_a_changed_password_updates_the_connection(talk: Talk) -> None:
    """Update mode gives no public token and leaves the access token as it is."""
    access_token = talk.handshake("instant", "pass_bad").access_token
    link_token = talk.link_token(update={"access_token": access_token, "mode": "UpdateCredentials"})
    assert talk.status(link_token) == "New"
    assert "public_token" not in talk.connect(link_token, "instant")
    assert talk.status(link_token) == "Connected"
    assert statuses(talk, PRODUCT, 1, access_token=access_token) == [200]


def test_refresh_mode_asks_for_no_password(talk: Talk) -> None:
    """A link session in mode Refresh starts the stored login again, whatever fields are sent."""
    access_token = talk.backend.link("instant")
    link_token = talk.link_token(update={"access_token": access_token, "mode": "Refresh"})
    talk.post("/link/connect", link_token=link_token, source_id=ORDINARY.source_id, fields=[])
    assert statuses(talk, PRODUCT, 2, access_token=access_token) == [400, 200]


def test_an_update_of_an_unknown_connection_is_refused(talk: Talk) -> None:
    """The link token is not given out."""
    update = {"access_token": "access-sandbox-0", "mode": "UpdateCredentials"}
    assert talk.refusal("/link/token/create", update=update) == (400, "CONNECTION_NOT_FOUND")


def test_a_refresh_starts_a_session(talk: Talk) -> None:
    """The product is not ready once, then there is data again; it counts as a submission."""
    access_token = talk.backend.link("instant", days_ago=40)
    assert statuses(talk, PRODUCT, 1, access_token=access_token) == [200]
    talk.post("/connection/refresh", access_token=access_token, account_numbers=["1"])
    assert talk.reason(access_token) == ("Connected", "ExecutingJob")
    assert statuses(talk, PRODUCT, 2, access_token=access_token) == [400, 200]
    context = talk.post("/connection/context", access_token=access_token)
    assert context["connection_status_timestamp"] == "2026-11-22T12:00:00Z"
    assert talk.backend.submissions("instant") == 1


def test_a_refresh_repeats_a_wrong_password(talk: Talk) -> None:
    """The stored password is as wrong as before, and counts towards the lock."""
    access_token = talk.handshake("user_good", "pass_bad").access_token
    for _ in range(2):
        talk.post("/connection/refresh", access_token=access_token)
    assert [talk.reason(access_token)[0] for _ in range(2)] == ["Connecting", "Disconnected"]
    body = {"source_id": ORDINARY.source_id, "username": "user_good", "password": "pass_good"}
    refusal = talk.refusal("/link/connect", link_token=talk.link_token(), **body)
    assert refusal == (400, "CONNECTION_LOCKED")


@pytest.mark.parametrize(
    ("story", "context", "product"),
    [
        ("refresh_fails", ("Error", "Error"), 200),
        ("refresh_mfa", ("Disconnected", "MfaCodeTimeout"), 200),
        ("error_again", ("Error", "Error"), 400),
        ("error", ("Connected", "DataFound"), 200),
        ("wrong_password", ("Disconnected", "InvalidCredentials"), 400),
    ],
)
def test_a_refresh_ends_as_its_story_says(talk: Talk, story: str, context: tuple[str, str], product: int) -> None:
    """After a refresh and two product calls the context tells the end, and the product goes on accordingly."""
    access_token = talk.backend.link(story)
    talk.post("/connection/refresh", access_token=access_token)
    assert statuses(talk, PRODUCT, 2, access_token=access_token)[1] == product
    assert talk.reason(access_token) == context


def test_a_refresh_may_be_refused(talk: Talk) -> None:
    """The fault of the story is answered and the data stays."""
    access_token = talk.backend.link("refresh_refused")
    assert talk.refusal("/connection/refresh", access_token=access_token) == (400, "CONNECTION_FAILED")
    assert statuses(talk, PRODUCT, 1, access_token=access_token) == [200]


# Questions and choices


@pytest.mark.parametrize(
    ("story", "status", "answer"), [("mfa", "MfaQuestion", "123456"), ("security_question", "SecurityQuestion", "rex")]
)
def test_a_question_is_answered(talk: Talk, story: str, status: str, answer: str) -> None:
    """The question can be read; a wrong answer may be corrected once; the right one lets the login go on."""
    link_token = talk.handshake(story).link_token
    assert [talk.status(link_token) for _ in range(2)] == ["Connecting", status]
    assert talk.post("/link/authentication/mfa/get", link_token=link_token)["question"]
    talk.post("/link/authentication/mfa/answer", link_token=link_token, answer="wrong")
    assert talk.status(link_token) == "MfaQuestionInvalidAnswer"
    talk.post("/link/authentication/mfa/answer", link_token=link_token, answer=answer)
    assert talk.status(link_token) == "Connected"


def test_two_wrong_answers_are_the_last(talk: Talk) -> None:
    """Then no question waits any more."""
    link_token = talk.handshake("mfa").link_token
    talk.status(link_token), talk.status(link_token)
    for _ in range(2):
        talk.post("/link/authentication/mfa/answer", link_token=link_token, answer="000000")
    refusal = talk.refusal("/link/authentication/mfa/answer", link_token=link_token, answer="123456")
    assert refusal == (400, "SECURITY_QUESTION_NOT_FOUND")
    assert talk.status(link_token) == "MfaQuestionInvalidAnswer"


def test_nobody_answers_for_five_minutes(talk: Talk) -> None:
    """The session ends with MfaQuestionNoAnswer."""
    linked = talk.handshake("mfa")
    talk.status(linked.link_token), talk.status(linked.link_token)
    talk.clock.forward(299)
    assert talk.status(linked.link_token) == "MfaQuestion"
    talk.clock.forward(1)
    assert talk.status(linked.link_token) == "MfaQuestionNoAnswer"
    assert talk.reason(linked.access_token) == ("Disconnected", "MfaCodeTimeout")


def test_a_login_without_a_question_has_none(talk: Talk) -> None:
    """Reading or answering answers SECURITY_QUESTION_NOT_FOUND."""
    link_token = talk.handshake("user_good").link_token
    refusal = talk.refusal("/link/authentication/mfa/get", link_token=link_token)
    assert refusal == (400, "SECURITY_QUESTION_NOT_FOUND")


def test_the_selected_accounts_are_delivered(talk: Talk) -> None:
    """Only accounts that were listed can be selected, and only those are in the document."""
    username = next(n for n in (f"account_selection+{i}" for i in range(9)) if len(accounts_of(n, ORDINARY, SMALL)) > 1)
    linked = talk.handshake(username)
    assert talk.refusal("/link/account/list", link_token=linked.link_token) == (400, "INVALID_ARGUMENT")
    assert [talk.status(linked.link_token) for _ in range(2)] == ["Connecting", "AccountSelection"]
    listed = talk.post("/link/account/list", link_token=linked.link_token)["accounts"]
    unknown = ["00000000-0000-0000-0000-000000000000"]
    refusal = talk.refusal("/link/account/select", link_token=linked.link_token, accounts=unknown)
    assert refusal == (400, "INVALID_ACCOUNT_ID")
    talk.post("/link/account/select", link_token=linked.link_token, accounts=[listed[1]["account_id"]])
    assert talk.status(linked.link_token) == "Connected"
    statuses(talk, PRODUCT, 2, access_token=linked.access_token)
    delivered = talk.post(PRODUCT, access_token=linked.access_token)
    assert [a["account_number"] for a in delivered["accounts"]] == [listed[1]["account_number"]]


def test_selecting_without_a_list_selects_all(talk: Talk) -> None:
    """`accounts` is optional."""
    link_token = talk.handshake("account_selection").link_token
    talk.status(link_token), talk.status(link_token)
    talk.post("/link/account/select", link_token=link_token)
    assert talk.status(link_token) == "Connected"


# What tests may arrange


def test_waiting_by_the_clock_starts_at_connect(talk: Talk) -> None:
    """Stages follow each other at their times, however late somebody looks."""
    talk.backend.tell("clocked", ready_after(30, connecting=10))
    linked = talk.handshake("clocked")
    assert talk.status(linked.link_token) == "Connecting"
    talk.clock.forward(10)
    assert talk.status(linked.link_token) == "Connected"
    talk.clock.forward(29.9)
    assert talk.refusal(PRODUCT, access_token=linked.access_token) == NOT_READY
    talk.clock.forward(0.1)
    assert statuses(talk, PRODUCT, 1, access_token=linked.access_token) == [200]


def test_waiting_of_a_linked_connection_starts_with_its_first_product_call(talk: Talk) -> None:
    """Neither time nor a look at the context before it counts."""
    access_token = talk.backend.link("ready+1", ready_after(30))
    talk.clock.forward(100)
    assert talk.reason(access_token) == ("Connected", "ConnectedWaitingOnDataExtraction")
    talk.clock.forward(100)
    assert statuses(talk, PRODUCT, 1, access_token=access_token) == [400]
    talk.clock.forward(30)
    assert statuses(talk, PRODUCT, 1, access_token=access_token) == [200]


def test_a_linked_connection_is_known_to_a_new_simulator(talk: Talk) -> None:
    """The token of a handshake is the one that link gives for the same login elsewhere."""
    assert Talk().backend.link("user_good") == talk.handshake("user_good").access_token


def test_a_test_may_bring_its_own_document(talk: Talk) -> None:
    """Deliver hands out a copy from now on, and the context names its accounts."""
    access_token = talk.backend.link("instant")
    changed = talk.backend.document("instant")
    changed["accounts"] = [changed["accounts"][0] | {"account_number": "changed"}]
    talk.backend.deliver("instant", changed)
    changed["accounts"].clear()
    delivered = talk.post(PRODUCT, access_token=access_token)
    assert [account["account_number"] for account in delivered["accounts"]] == ["changed"]
    assert talk.backend.document("instant") == delivered
    context = talk.post("/connection/context", access_token=access_token)
    assert context["entities"] == [{"account_number": "changed"}]


def test_a_failure_may_be_planned(talk: Talk) -> None:
    """The next requests to a path are answered as planned and not carried out."""
    talk.backend.fail_next("/link/token/create", 503, body=b"<html>", headers={"content-type": "text/html"}, times=2)
    talk.backend.fail_next("/link/token/create", 429, code="RATE_LIMIT_EXCEEDED", headers={"retry-after": "7"})
    answers = [talk.raw("/link/token/create", {}) for _ in range(4)]
    assert [answer.status for answer in answers] == [503, 503, 429, 200]
    assert (answers[0].headers["content-type"], answers[0].body) == ("text/html", b"<html>")
    assert answers[2].headers["retry-after"] == "7"
    assert [entry.error_code for entry in talk.backend.journal] == [None, None, "RATE_LIMIT_EXCEEDED", None]


def test_an_answer_may_be_lost_after_the_deed(talk: Talk) -> None:
    """A dropped connect was submitted all the same; the journal shows status 0."""
    talk.backend.plan(Planned("/link/connect", processed=True, dropped=True))
    body = {"source_id": ORDINARY.source_id, "username": "user_good", "password": "pass_good"}
    answer = talk.raw("/link/connect", {"link_token": talk.link_token(), **body})
    assert (answer.dropped, answer.status) == (True, 0)
    assert talk.backend.submissions("user_good") == 1
    assert talk.backend.journal[-1].status == 0


def test_a_dropped_request_is_not_carried_out(talk: Talk) -> None:
    """Without `processed` nothing reaches the utility, and the plan may be for one login only."""
    talk.backend.plan(Planned("/link/connect", username="instant", dropped=True))
    talk.handshake("user_good")
    body = {"source_id": ORDINARY.source_id, "username": "instant", "password": "pass_good"}
    assert talk.raw("/link/connect", {"link_token": talk.link_token(), **body}).dropped
    assert (talk.backend.submissions("user_good"), talk.backend.submissions("instant")) == (1, 0)


def test_an_answer_may_be_late_only(talk: Talk) -> None:
    """A plan with a delay keeps the real answer."""
    access_token = talk.backend.link("instant")
    real = talk.raw(PRODUCT, {"access_token": access_token})
    talk.backend.plan(Planned(PRODUCT, delay=9))
    late = talk.raw(PRODUCT, {"access_token": access_token})
    assert replace(late, delay=0, headers={}) == replace(real, headers={})
    assert late.delay == 9


def test_link_options_are_remembered(talk: Talk) -> None:
    """What a link token asked for can be seen by the login that used it."""
    talk.connect(talk.link_token(auto_refresh=True, parsing_method="PdfOnly"), "user_good")
    assert talk.backend.link_options("user_good") == {"auto_refresh": True, "parsing_method": "PdfOnly"}


def test_the_journal_tells_who_asked_what_and_no_secret(talk: Talk) -> None:
    """Path, status, code, login and time of each request; neither password nor token."""
    linked = talk.handshake("user_good", "pass_extraordinary")
    talk.clock.forward(5)
    talk.raw(PRODUCT, {"access_token": linked.access_token})
    told = [(entry.path, entry.status, entry.username, entry.at) for entry in talk.backend.journal]
    assert told == [
        ("/link/token/create", 200, None, 1000.0),
        ("/link/connect", 200, "user_good", 1000.0),
        ("/connection/public_token/exchange", 200, "user_good", 1000.0),
        (PRODUCT, 400, "user_good", 1005.0),
    ]
    assert talk.backend.journal[-1].error_code == "PRODUCT_NOT_READY"
    assert talk.backend.count(PRODUCT) == talk.backend.count(PRODUCT, "user_good") == 1
    assert talk.backend.count(PRODUCT, "instant") == 0
    text = repr(talk.backend.journal)
    assert "pass_extraordinary" not in text
    assert linked.access_token not in text


def test_every_answer_has_a_number(talk: Talk) -> None:
    """The header x-request-id counts the requests."""
    answers: list[Answer] = [talk.raw("/link/token/create", {}) for _ in range(2)]
    assert [answer.headers["x-request-id"] for answer in answers] == ["sim-00000001", "sim-00000002"]
