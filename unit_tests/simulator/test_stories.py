"""Every story can be reached, is described, comes to its end and keeps to the contract."""

import json
from typing import Any

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from linkless_simulator.answers import Answer, Fault
from linkless_simulator.bills import Sizes
from linkless_simulator.contract import CONTRACT_PATH
from linkless_simulator.scenarios import STORIES, story_of
from linkless_simulator.shapes import SHAPES
from linkless_simulator.sources import ORDINARY, PIN
from linkless_simulator.stages import Stage
from testing.simulator_talk import KEYS, Talk

# One code is there to be unknown; all others are the contract's.
UNDOCUMENTED_CODES = {"SOMETHING_NEW"}
PRODUCT = "/sustainability/get"
DOCUMENT: dict[str, Any] = yaml.safe_load(CONTRACT_PATH.read_text(encoding="utf-8"))
DOCUMENTED_CODES = set(DOCUMENT["components"]["schemas"]["ErrorCode"]["anyOf"][0]["enum"])
# Left out: one is no JSON on purpose, the other has the shape of all bills and takes half a minute to validate.
UNCHECKED = {"broken", "large"}


@pytest.fixture(scope="module")
def openapi() -> OpenAPI:
    """Return the contract as openapi-core reads it."""
    return OpenAPI.from_dict(DOCUMENT)


class Play:
    """A story played from connect to its last stage, with every answer kept."""

    def __init__(self, name: str) -> None:
        self.story = STORIES[name]
        self.talk = Talk(Sizes(1, 2))
        self.answers: list[tuple[str, Any, Answer]] = []
        link_token = self.json("/link/token/create", {})["link_token"]
        self.link = {"link_token": link_token}
        self.json("/link/sources", self.link)
        connected = self.json("/link/connect", self.link | {"source_id": ORDINARY.source_id} | self.login(name))
        exchanged = self.json("/connection/public_token/exchange", {"public_token": connected.get("public_token", "-")})
        self.access = {"access_token": exchanged.get("access_token", "access-sandbox-none")}

    def login(self, name: str) -> dict[str, Any]:
        """Return the login in the form that the story takes."""
        if not self.story.flat_refused and not self.story.wants:
            return {"username": name, "password": "pass_good"}
        form = (*ORDINARY.fields, *self.story.wants)
        values = (name, "pass_good", PIN.right)
        return {"fields": [{"field_name": f.name, "field_value": v} for f, v in zip(form, values, strict=False)]}

    def json(self, path: str, body: dict[str, Any]) -> Any:
        """Send a request, keep its answer, return its JSON (an empty object when it has none)."""
        answer = self.talk.raw(path, body)
        self.answers.append((path, body, answer))
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        try:
            return json.loads(answer.body) if is_json else {}
        except ValueError:
            return {}

    def run(self) -> None:
        """Look, answer, choose, wait and fetch until nothing changes any more."""
        for _ in range(6):
            self.json("/link/connection/status", self.link)
            self.json("/link/authentication/mfa/get", self.link)
            self.json("/link/account/list", self.link)
            self.json("/link/account/select", self.link)
            answer = "rex" if "question" in self.story.about else "123456"
            self.json("/link/authentication/mfa/answer", self.link | {"answer": answer})
            self.json("/connection/context", self.access)
            self.talk.clock.forward(30)
        for _ in range(4):
            self.json(PRODUCT, self.access)
        self.json("/connection/context", self.access)

    def last(self, path: str) -> Answer:
        """Return the newest answer of a path."""
        return [answer for asked, _body, answer in self.answers if asked == path][-1]


def expected(fault: Fault) -> tuple[int, str | None]:
    """Return what an answer of this fault shows."""
    return fault.status, fault.code


@pytest.mark.parametrize("name", STORIES)
def test_a_story_comes_to_its_last_stage(name: str) -> None:
    """After enough looks, product and context answer what the story's last stage says."""
    play = Play(name)
    play.run()
    end = play.story.stages[-1].shows
    product = play.last(PRODUCT)
    if play.story.connect or play.story.exchange:
        assert expected(play.story.connect or play.story.exchange or Fault()) in {
            (answer.status, answer.code) for _path, _body, answer in play.answers
        }
        assert product.code == "CONNECTION_NOT_FOUND"
    elif end.product is not None:
        assert (product.status, product.code) == expected(end.product)
    else:
        assert (product.status, product.code) == (200, None)
        assert json.loads(product.body)


@pytest.mark.parametrize("name", sorted(STORIES.keys() - UNCHECKED))
def test_the_answers_of_a_story_keep_to_the_contract(openapi: OpenAPI, name: str) -> None:
    """Every answer that the contract describes (200, 400, 401, JSON elsewhere) is as it says."""
    play = Play(name)
    play.run()
    described = {
        (path, answer.status, answer.body)
        for path, _body, answer in play.answers
        if answer.body and answer.headers["content-type"].startswith("application/json")
    }
    for path, status, body in described:
        request = MockRequest("https://sandbox.deck.co", "post", f"/api/v1{path}", headers=dict(KEYS))
        response = MockResponse(body, status, content_type="application/json")
        openapi.validate_response(request, response)


@pytest.mark.parametrize(("name", "story"), STORIES.items())
def test_a_story_is_described_and_ends(name: str, story: Any) -> None:
    """It says what it is about, in one line; its last stages last for ever; its words are the contract's."""
    assert story_of(f"{name}+suffix") is story
    assert story.about
    assert len(f"  {name:<20}  {story.about}") <= 110
    assert story.document in SHAPES
    stages: tuple[Stage, ...] = story.stages + story.refreshed
    assert (story.stages[-1].lasts, story.refreshed[-1].lasts) == (None, None)
    faults = [story.connect, story.exchange, story.refresh, *(stage.shows.product for stage in stages)]
    codes = {fault.code for fault in faults if fault is not None and fault.code is not None}
    assert codes <= DOCUMENTED_CODES | UNDOCUMENTED_CODES


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("outage_twice", [500, 500, 200]),
        ("rate_limited", ["RATE_LIMIT_EXCEEDED", 200]),
        ("maintenance", ["PLANNED_MAINTENANCE", 200]),
        ("error_200", ["PRODUCT_NOT_READY", "PRODUCT_NOT_READY", 200]),
        ("forgotten", [200, "CONNECTION_NOT_FOUND"]),
        ("html_error", [502, 502]),
        ("user_good", [200]),
        ("no_context", ["PRODUCT_NOT_READY", "PRODUCT_NOT_READY", 200]),
        ("unknown_reason", [*["PRODUCT_NOT_READY"] * 3, 200]),
        ("mfa", [200]),
        ("never_ready", ["PRODUCT_NOT_READY"]),
        ("wrong_password", ["INVALID_CREDENTIALS"]),
    ],
)
def test_a_connection_linked_long_ago_skips_login_and_counted_waits(name: str, outcomes: list[Any]) -> None:
    """What is left is what the story is about."""
    talk = Talk()
    body = {"access_token": talk.backend.link(name)}
    answers = [talk.raw(PRODUCT, body) for _ in outcomes]
    assert [answer.code or answer.status for answer in answers] == outcomes


def deliveries(name: str, times: int) -> list[Any]:
    """Return the documents of the first deliveries."""
    talk = Talk()
    access_token = talk.backend.link(name)
    return [talk.post(PRODUCT, access_token=access_token) for _ in range(times)]


def bills(document: Any) -> dict[str, Any]:
    """Return the bills of the first account by id."""
    return {bill["statement_id"]: bill for bill in document["accounts"][0]["statements"]}


def test_growing_delivers_one_bill_more_each_time() -> None:
    """Every account gets a bill with each delivery; the old ones stay as they are."""
    first, second, third = deliveries("growing", 3)
    assert [len(bills(document)) for document in (first, second, third)] == [6, 7, 8]
    assert bills(first).items() <= bills(second).items() <= bills(third).items()


def test_corrected_changes_history_once() -> None:
    """The second delivery has a late bill, a corrected one and lacks another; the third is the second."""
    first, second, third = map(bills, deliveries("corrected", 3))
    assert second == third
    assert (len(second.keys() - first.keys()), len(first.keys() - second.keys())) == (1, 1)
    changed = [key for key in first.keys() & second.keys() if first[key] != second[key]]
    assert len(changed) == 1
    assert len(second[changed[0]]["charges"]) == len(first[changed[0]]["charges"]) + 1


def test_partial_promises_an_account_more_than_it_delivers() -> None:
    """The context counts three accounts, the document two."""
    talk = Talk()
    access_token = talk.backend.link("partial")
    assert talk.post("/connection/context", access_token=access_token)["num_of_entities"] == 3
    assert len(talk.post(PRODUCT, access_token=access_token)["accounts"]) == 2


def test_large_is_large() -> None:
    """Twenty accounts with 120 bills of 12 charges."""
    accounts = deliveries("large", 1)[0]["accounts"]
    assert [len(account["statements"]) for account in accounts] == [120] * 20
    assert {len(bill["charges"]) for account in accounts for bill in account["statements"]} == {12}
