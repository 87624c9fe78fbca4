"""`linkless link` in virtual time: the same handshake as in a sync, with a person who answers from a script."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from linkless_simulator.backend import CLIENT_ID, SECRET
from linkless_simulator.situations import CONNECTING, MFA_CODE, MFA_REPLY, READY, REFUSED, SELECTION
from linkless_simulator.stages import Choice, Looks, Stage
from linkless_simulator.story import Story
from source_linkless.cli.commands import chosen, facts_of, link_by_hand
from source_linkless.cli.terminal import Terminal
from source_linkless.cli.workspace import ConfigText, Workspace
from source_linkless.config import Login
from source_linkless.errors import Problem
from source_linkless.linking.by_hand import look_at_all
from source_linkless.linking.events import Finished
from source_linkless.provider.api import Account
from source_linkless.provider.outcomes import NOT_ALLOWED
from testing.worlds import World

ANSWER = "/link/authentication/mfa/answer"
LONG = 10_000.0

T = TypeVar("T")


@dataclass
class Scripted:
    """A person who answers from a script after `seconds`, and then no more."""

    answers: list[str] = field(default_factory=list)
    accounts: list[int] = field(default_factory=list)
    password: str | None = None
    seconds: float = 1.0
    asked: list[tuple[str, float, bool]] = field(default_factory=list)
    """Each question with the time of its end, and whether it is repeated."""
    corrections: int = 0
    passwords: dict[str, str] = field(default_factory=dict)

    async def answer(self, login: Login, question: str, ends: float, *, is_repeated: bool = False) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Give the next answer."""
        self.asked.append((question, ends, is_repeated))
        await asyncio.sleep(self.seconds)
        return self.answers.pop(0) if self.answers else None

    async def choose(self, login: Login, accounts: Sequence[Account], ends: float) -> Sequence[str] | None:  # noqa: ARG002 - the protocol's signature
        """Choose the accounts of the script by their position."""
        await asyncio.sleep(self.seconds)
        return [accounts[number].account_id for number in self.accounts] or None

    async def correct(self, login: Login) -> Login | None:
        """Give the other password, if there is one."""
        self.corrections += 1
        await asyncio.sleep(self.seconds)
        if self.password is None:
            return None
        self.passwords[login.key] = self.password
        return replace(login, password=self.password)


@dataclass
class Desk:
    """A configuration file in a folder, and runs of the command on it."""

    world: World
    path: Path
    written: list[dict[str, Any]] = field(default_factory=list)

    def open(self) -> Workspace:
        """Open the file again."""
        return Workspace(ConfigText.read(self.path), surroundings=self.world.surroundings())

    def link(self, person: Scripted | None = None, *keys: str, config: Any = None) -> dict[str, tuple[str, str | None]]:
        """Link what needs it; return the status and the reason of every login by key."""
        if config is not None:
            self.path.write_text(json.dumps(config), encoding="utf-8")
        workspace = self.open()
        choice = chosen(workspace, keys, has_person=person is not None)
        terminal = Terminal(io.StringIO(), io.StringIO())
        terminal.person = person
        ends, _ = in_world(self.world, link_by_hand(workspace, terminal, choice.submitted))
        return {end.login.key: (end.outcome.status.value, end.outcome.reason) for end in ends}

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as it is written."""
        value: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return value

    def link_of(self, key: str) -> dict[str, Any]:
        """Return what is remembered of a login."""
        entry: dict[str, Any] = json.loads(self.config["links"])["connections"][key]
        return entry


def in_world(world: World, main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in the virtual time of a world."""
    with asyncio.Runner(loop_factory=world.surroundings().new_loop) as runner:
        return runner.run(main)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk in a world of its own."""
    return Desk(World(), tmp_path / "config.json")


def one(desk: Desk, story: str, **login: Any) -> dict[str, Any]:
    """Return a configuration with one login."""
    return desk.world.config(username=story, **login)


@pytest.mark.parametrize(
    ("story", "person"),
    [
        ("user_good", Scripted()),
        ("mfa", Scripted(["123456"])),
        ("mfa", Scripted(["000000", "123456"])),
        ("security_question", Scripted(["rex"])),
        ("account_selection", Scripted(accounts=[0, 2])),
    ],
)
def test_a_login_is_linked_by_hand_and_a_sync_links_nothing(desk: Desk, story: str, person: Scripted) -> None:
    """The answers go to the provider, the login is submitted once, and the next sync makes no `link/*` call."""
    assert desk.link(person, config=one(desk, story)) == {"site": ("ready", None)}
    before = [entry.path for entry in desk.world.backend.journal]
    assert before.count("/link/connect") == 1
    assert desk.world.read(desk.config).row("site")["status"] == "ready"
    after = [entry.path for entry in desk.world.backend.journal][len(before) :]
    assert [path for path in after if path.startswith("/link/")] == []


def test_only_the_chosen_accounts_are_delivered(desk: Desk) -> None:
    """The selection reaches the provider by the ids of the accounts."""
    desk.link(Scripted(accounts=[1]), config=one(desk, "account_selection"))
    assert len(desk.world.read(desk.config).rows("accounts")) == 1


def test_the_question_comes_with_its_time(desk: Desk) -> None:
    """The question has the provider's text and five minutes; the second one is marked as a repetition."""
    person = Scripted(["000000", "123456"])
    desk.link(person, config=one(desk, "mfa"))
    questions, (first, second), repeated = zip(*person.asked, strict=True)
    assert (questions, repeated) == ((MFA_REPLY.question,) * 2, (False, True))
    assert 300 < second - first + 300 < 330


def test_two_wrong_answers_end_it(desk: Desk) -> None:
    """There is one more try and no third; the login is remembered as one that needs a person."""
    person = Scripted(["1", "2", "3"])
    assert desk.link(person, config=one(desk, "mfa")) == {"site": ("needs_user", "MfaQuestionInvalidAnswer")}
    assert desk.world.count(ANSWER) == 2
    assert desk.link_of("site")["refused"] == "MfaQuestionInvalidAnswer"


def test_a_question_that_is_not_answered_in_time_ends_the_login(desk: Desk) -> None:
    """After five minutes the provider's word ends it; the question does not stay open for ever."""
    assert desk.link(Scripted(["123456"], seconds=LONG), config=one(desk, "mfa")) == {
        "site": ("needs_user", "MfaQuestionNoAnswer")
    }
    assert (desk.world.count(ANSWER), 299 < desk.world.seconds() < 330) == (0, True)


def test_a_person_gives_up(desk: Desk) -> None:
    """An empty answer sends nothing and is remembered; nothing is submitted by the next sync."""
    assert desk.link(Scripted(), config=one(desk, "mfa")) == {"site": ("needs_user", "MfaQuestion")}
    desk.world.read(desk.config)
    assert (desk.world.count(ANSWER), desk.world.count("/link/connect")) == (0, 1)


def test_a_status_that_moves_on_closes_the_question(desk: Desk) -> None:
    """Confirmed on the phone instead: the open question is dropped and the login is linked."""
    desk.world.backend.tell("push", Story("Confirmed elsewhere", (Stage(MFA_CODE, Looks(20)), Stage(READY))))
    desk.world.backend.fail_next("/link/authentication/mfa/get", 200, body=b'{"question": "Confirm it"}', times=9)
    assert desk.link(Scripted(["1"], seconds=LONG), config=one(desk, "push")) == {"site": ("ready", None)}
    assert desk.world.count(ANSWER) == 0


def test_an_answer_that_is_being_worked_on_is_not_asked_for_again(desk: Desk) -> None:
    """The status may stay what it was for a few looks after the right answer."""
    stages = (Stage(CONNECTING, Looks(1)), Stage(MFA_CODE, MFA_REPLY), Stage(MFA_CODE, Looks(3)), Stage(READY))
    desk.world.backend.tell("tardy", Story("Slow to take the answer", stages))
    person = Scripted(["123456"])
    assert desk.link(person, config=one(desk, "tardy")) == {"site": ("ready", None)}
    assert len(person.asked) == 1


def test_a_code_and_then_accounts(desk: Desk) -> None:
    """Several questions of one login are answered one after the other."""
    stages = (Stage(MFA_CODE, MFA_REPLY), Stage(SELECTION, Choice()), Stage(READY))
    desk.world.backend.tell("both", Story("Asks twice", stages))
    assert desk.link(Scripted(["123456"], accounts=[0]), config=one(desk, "both")) == {"site": ("ready", None)}


def test_an_answer_that_meets_an_outage_is_not_repeated(desk: Desk) -> None:
    """A code is good once; the status tells what has become of it, and only then a person is asked again."""
    desk.world.backend.fail_next(ANSWER, 500)
    person = Scripted(["123456", "123456"])
    assert desk.link(person, config=one(desk, "mfa")) == {"site": ("ready", None)}
    assert (desk.world.count(ANSWER), len(person.asked)) == (2, 2)


def test_without_a_person_it_ends_as_in_a_sync(desk: Desk) -> None:
    """No question is fetched, and the login is remembered as one that needs a person."""
    assert desk.link(None, config=one(desk, "mfa")) == {"site": ("needs_user", "MfaQuestion")}
    assert desk.world.count("/link/authentication/mfa/get") == 0


@pytest.mark.parametrize("story", ["captcha", "mfa_method"])
def test_what_only_a_browser_can_do_ends_it(desk: Desk, story: str) -> None:
    """There is no endpoint for it, so no question is asked."""
    person = Scripted(["1"])
    assert desk.link(person, config=one(desk, story))["site"][0] == "needs_user"
    assert person.asked == []


def test_a_corrected_password_goes_into_the_same_session(desk: Desk) -> None:
    """One link token, two connects; the new password and its link are written, so the next sync changes nothing."""
    config = one(desk, "user_good", password="wrong_one")
    assert desk.link(Scripted(password="pass_good"), config=config) == {"site": ("ready", None)}
    assert (desk.world.count("/link/token/create"), desk.world.count("/link/connect")) == (1, 2)
    assert desk.config["connection"]["password"] == "pass_good"
    desk.world.read(desk.config)
    assert desk.world.count("/link/connect") == 2


def test_a_password_that_is_being_tried_is_not_called_refused(desk: Desk) -> None:
    """Just after the second connect the old status may still be there."""
    stages = (Stage(REFUSED, Looks(2)), Stage(READY))
    desk.world.backend.tell("stale", Story("Shows the old status first", stages))
    person = Scripted(password="pass_good")
    assert desk.link(person, config=one(desk, "stale", password="wrong_one")) == {"site": ("ready", None)}
    assert person.corrections == 1


def test_a_password_is_corrected_once_in_a_run(desk: Desk) -> None:
    """A third wrong one could lock the account: after the second the run leaves it."""
    person = Scripted(password="also_wrong")
    config = one(desk, "user_good", password="wrong_one")
    assert desk.link(person, config=config) == {"site": ("needs_user", "InvalidCredentials")}
    assert (person.corrections, desk.world.backend.submissions("user_good")) == (1, 2)
    assert desk.config["connection"]["password"] == "also_wrong"
    desk.world.read(desk.config)
    assert desk.world.backend.submissions("user_good") == 2


def test_the_password_of_a_connection_is_corrected_in_update_mode(desk: Desk) -> None:
    """The connection keeps its token, whatever was typed first."""
    desk.link(Scripted(), config=one(desk, "user_good"))
    token = desk.link_of("site")["access_token"]
    edited = {**desk.config, "connection": {**desk.config["connection"], "password": "wrong_one"}}
    assert desk.link(Scripted(password="pass_good"), config=edited) == {"site": ("ready", None)}
    assert desk.link_of("site")["access_token"] == token
    assert (desk.world.count("/link/token/create"), desk.world.count("/connection/public_token/exchange")) == (2, 1)


def test_a_refused_login_is_submitted_again_when_a_person_is_there(desk: Desk) -> None:
    """What needed a code is linked again in update mode; its refusal is gone."""
    desk.link(None, config=one(desk, "mfa"))
    assert desk.link(Scripted(["123456"])) == {"site": ("ready", None)}
    assert "refused" not in desk.link_of("site")


def test_a_refused_login_stays_refused_when_the_provider_is_down(desk: Desk) -> None:
    """Nothing was submitted, so the next sync must not do what only a person wanted."""
    desk.link(None, config=one(desk, "mfa"))
    desk.world.backend.fail_next("/link/token/create", 500, times=9)
    assert desk.link(Scripted(["123456"]))["site"][0] == "failed"
    assert desk.link_of("site")["refused"] == "MfaQuestion"
    assert desk.world.count("/link/connect") == 1


def test_a_connection_that_is_not_known_any_more_is_linked_afresh(desk: Desk) -> None:
    """Its old token is set aside, even when it was refused before."""
    desk.link(None, config=one(desk, "mfa"))
    token = desk.link_of("site")["access_token"]
    headers = {"x-deck-client-id": CLIENT_ID, "x-deck-secret": SECRET, "content-type": "application/json"}
    body = json.dumps({"access_token": token}).encode()
    assert desk.world.backend.answer("POST", "/connection/destroy", headers, body).status == 200
    assert desk.link(Scripted(["123456"])) == {"site": ("ready", None)}
    assert desk.link_of("site")["access_token"] != token


def test_a_question_does_not_hold_up_other_logins(desk: Desk) -> None:
    """A login without a question has its token in the file while another one waits for an answer."""
    path, tokens = desk.path, []

    class Watching(Scripted):
        async def answer(self, *_question: Any, **_how: Any) -> str | None:
            await asyncio.sleep(100)
            tokens.append(json.loads(json.loads(path.read_text(encoding="utf-8"))["links"])["connections"])
            return "123456"

    result = desk.link(Watching(), config=desk.world.fleet(["mfa", "slow"]))
    assert result == {"mfa": ("ready", None), "slow": ("ready", None)}
    assert {key for key, link in tokens[0].items() if link.get("access_token")} == {"mfa", "slow"}


def chosen_keys(desk: Desk, *keys: str, has_person: bool) -> dict[str, list[str]]:
    """Return what happens to each login, by its key."""
    choice = chosen(desk.open(), keys, has_person=has_person)
    groups = {
        "submitted": [login.key for login in choice.submitted],
        "password": [login.key for login in choice.refused_password],
        "left": [login.key for login in choice.left],
        "linked": [login.key for login in choice.linked],
    }
    return {name: found for name, found in groups.items() if found}


def test_each_login_is_chosen_for_what_is_remembered(desk: Desk) -> None:
    """Nothing that was refused is submitted unless a person can help or has named it."""
    stories = ["user_good", "mfa", "wrong_password", "captcha"]
    desk.link(None, config=desk.world.fleet(stories))
    everyone = {"password": ["wrong_password"], "left": ["captcha"], "linked": ["user_good"]}
    assert chosen_keys(desk, has_person=True) == {"submitted": ["mfa"], **everyone}
    assert chosen_keys(desk, has_person=False) == {**everyone, "left": ["mfa", "captcha"]}
    assert chosen_keys(desk, "captcha", has_person=False) == {"submitted": ["captcha"]}
    assert chosen_keys(desk, "user_good", has_person=True) == {"submitted": ["user_good"]}
    assert chosen_keys(desk, "wrong_password", has_person=True) == {"password": ["wrong_password"]}


def test_an_access_token_of_the_user_is_never_linked(desk: Desk) -> None:
    """There is no login to submit, named or not."""
    connection = {"method": "access_token", "access_token": "access-sandbox-mine", "key": "site"}
    desk.path.write_text(json.dumps(desk.world.config(connection=connection)), encoding="utf-8")
    assert chosen_keys(desk, "site", has_person=True) == {"linked": ["site"]}


def test_a_key_that_is_not_configured_is_told(desk: Desk) -> None:
    """The sentence names it."""
    desk.path.write_text(json.dumps(desk.world.config()), encoding="utf-8")
    with pytest.raises(AirbyteTracedException, match="no login with the key elsewhere"):
        chosen_keys(desk, "elsewhere", has_person=True)


def test_refused_keys_end_it_before_anything_is_sent(desk: Desk) -> None:
    """The keys are proven first."""
    desk.world.backend.revoke_keys()
    with pytest.raises(Problem, match="HTTP_401"):
        desk.link(Scripted(), config=one(desk, "user_good"))
    assert desk.world.count("/link/token/create") == 0


def test_a_401_of_one_login_does_not_read_as_refused_keys(desk: Desk) -> None:
    """The keys were tested before, so it is about this request alone."""
    desk.path.write_text(json.dumps(one(desk, "user_good")), encoding="utf-8")
    desk.world.backend.fail_next("/link/token/create", 401)
    workspace, terminal = desk.open(), Terminal(io.StringIO(), io.StringIO())
    ends, _ = in_world(desk.world, link_by_hand(workspace, terminal, workspace.config.logins))
    assert [(end.outcome.reason, end.outcome.message) for end in ends] == [("HTTP_401", NOT_ALLOWED.advice)]


async def _looked(workspace: Workspace) -> list[Finished]:
    return await look_at_all(await workspace.started(LONG))


def looked(desk: Desk) -> dict[str, Finished]:
    """Return how every connection is, by its key."""
    return {one.login.key: one for one in in_world(desk.world, _looked(desk.open()))}


def test_the_health_of_every_connection_is_told(desk: Desk) -> None:
    """Linked or not, refused, unknown: each has a status, a reason and what to do; nothing is submitted."""
    desk.link(None, config=desk.world.fleet(["instant", "wrong_password", "mfa", "no_context", "error"]))
    entries = json.loads(desk.config["connection"]["connections"])
    more = [*entries, World.entry("later"), {"key": "theirs", "access_token": "access-sandbox-unknown"}]
    connection = {"method": "fleet", "connections": json.dumps(more)}
    desk.path.write_text(json.dumps({**desk.config, "connection": connection}), encoding="utf-8")
    connects = desk.world.count("/link/connect")
    found = {key: (standing.outcome.status.value, standing.outcome.reason) for key, standing in looked(desk).items()}
    assert found == {
        "instant": ("ready", None),
        "wrong_password": ("needs_user", "InvalidCredentials"),
        "mfa": ("needs_user", "MfaQuestion"),
        "no_context": ("pending", "NOT_TOLD"),
        "error": ("failed", "Error"),
        "later": ("pending", "NOT_LINKED"),
        "theirs": ("failed", "CONNECTION_NOT_FOUND"),
    }
    assert desk.world.count("/link/connect") == connects


def test_the_health_is_told_to_programs(desk: Desk) -> None:
    """Every fact has its name; what is unknown is null, and no secret is among them."""
    desk.link(None, config=one(desk, "instant"))
    facts = facts_of(looked(desk)["site"])
    assert sorted(facts) == sorted(
        (
            "key",
            "status",
            "reason",
            "actor",
            "message",
            "connection_id",
            "source_id",
            "source_name",
            "accounts",
            "since",
        )
    )
    assert (facts["key"], facts["status"], facts["source_name"]) == ("site", "ready", "Springfield Power & Water")
    assert "access-" not in json.dumps(facts)
