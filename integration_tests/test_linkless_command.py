"""The command `linkless` as a process: in a pseudo-terminal, in a pipe, on a disk that refuses."""

from __future__ import annotations

import json
import os
import re
import resource
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from linkless_simulator import Simulator
from linkless_simulator.situations import MFA_CODE, MFA_REPLY
from linkless_simulator.stages import Stage
from linkless_simulator.story import Story
from testing.connector import Connector, Run, ended, fleet_at, login_at
from testing.forked_command import run_without_terminal, type_at

PROGRAM = Path(sys.executable).with_name("linkless")
"""The console script of the environment that runs the tests."""
COLUMNS = 80
CODE = r"Answer within \d:\d\d \(not shown; Enter alone gives up\): "
PASSWORD = r"Password \(not shown; Enter alone gives up\): "
ACCOUNTS = r"Numbers such as 1,2 or all, within \d:\d\d: "
CONFIRM = "Type its key to go on: "


@dataclass(frozen=True)
class Session:
    """How one session ended: its exit code, and what stood on the terminal."""

    code: int
    shown: str

    @property
    def said(self) -> str:
        """The text in one line, so that it does not matter where it was wrapped."""
        return " ".join(self.shown.split())

    @property
    def longest_line(self) -> int:
        """The length of the longest line."""
        return max(map(len, self.shown.split("\n")))


class Desk:
    """A configuration file, and a person who types."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Write the configuration as a person would have it: indented, readable by everybody."""
        self.path = folder / "config.json"
        self.path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as it is written now."""
        value: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        return value

    @property
    def links(self) -> dict[str, dict[str, Any]]:
        """What is remembered, by key."""
        found: dict[str, dict[str, Any]] = json.loads(self.config["links"])["connections"]
        return found

    def types(self, *talk: tuple[str, str], command: Sequence[str] = ("link",), **files: Any) -> Session:
        """Run a command in a terminal of 80 columns and type an answer to each question; ^C stands for itself.

        `files`: see `type_at`.
        """
        return Session(*type_at([*command, "--config", self.path.name], talk, self.path.parent, **files))

    def pipes(self, *arguments: str, text: str = "") -> Run:
        """Run a command without any terminal, `text` on its standard input."""
        return Run(*run_without_terminal([*arguments, "--config", self.path.name], self.path.parent, text))

    def on_small_disk(self, size: int) -> Run:
        """Run `link` where no file may grow beyond `size` bytes, as on a full disk."""
        process = subprocess.Popen(
            [str(PROGRAM), "link", "--config", str(self.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "COVERAGE_PROCESS_CONFIG": ""},  # its data would not fit either
        )
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
        return ended(process)


@pytest.fixture
def desk(tmp_path: Path, simulator: Simulator, request: pytest.FixtureRequest) -> Desk:
    """Return a desk for the login that a test names with `at`; its username is its own."""
    username = f"{request.param}+{request.node.name[:40]}"
    config = login_at(simulator, username)
    return Desk(tmp_path, {**config, "connection": {**config["connection"], "key": "hq"}})


def at(story: str) -> pytest.MarkDecorator:
    """Give a test a desk whose login has this story."""
    return pytest.mark.parametrize("desk", [story], indirect=True, ids=[""])


@at("user_good")
def test_a_login_is_linked_and_then_synced_for_ever(desk: Desk, simulator: Simulator, tmp_path: Path) -> None:
    """The file has the token, for its owner only and otherwise as it was; a read makes no `link/*` call."""
    before = desk.config
    session = desk.types()
    assert (session.code, stat.S_IMODE(desk.path.stat().st_mode)) == (0, 0o600)
    assert "hq: linked" in session.said
    assert list(desk.config) == [*before, "links"]
    assert {**desk.config, "links": ""} == {**before, "links": ""}
    asked = len(simulator.backend.journal)
    assert Connector(tmp_path).read(desk.config).rows("connections")[0]["status"] == "ready"
    paths = [entry.path for entry in simulator.backend.journal[asked:]]
    assert [path for path in paths if path.startswith("/link/")] == []


@at("mfa")
def test_a_code_wrong_and_then_right(desk: Desk) -> None:
    """The provider's question and the time left are shown, the code is not; everything fits in 80 columns."""
    session = desk.types((CODE, "111111"), (CODE, "123456"))
    assert session.code == 0
    assert "Enter the code sent to the phone ending in 42 Answer within 5:00" in session.said
    assert "that answer was not accepted; one more try" in session.said
    assert ("123456" in session.shown, "111111" in session.shown) == (False, False)
    assert session.longest_line <= COLUMNS
    assert "refused" not in desk.links["hq"]


@at("late")
def test_a_code_that_is_never_given(desk: Desk, simulator: Simulator) -> None:
    """The question closes by itself when the provider does not wait any longer; exit code 3 says whose turn it is."""
    brief = replace(MFA_REPLY, seconds=1.0)
    simulator.backend.tell(desk.config["connection"]["username"], Story("Waits a second", (Stage(MFA_CODE, brief),)))
    session = desk.types()
    assert session.code == 3
    assert "hq: needs you. MfaQuestionNoAnswer. No answer came in time." in session.said
    assert desk.links["hq"]["refused"] == "MfaQuestionNoAnswer"


@at("security_question")
def test_a_security_question(desk: Desk) -> None:
    """The answer links the login and is not shown."""
    session = desk.types((CODE, "rex"))
    assert (session.code, "rex" in session.shown) == (0, False)
    assert "What was the name of your first pet?" in session.said


@at("account_selection")
def test_several_accounts(desk: Desk, tmp_path: Path) -> None:
    """What makes no sense is asked again; only the chosen accounts arrive."""
    session = desk.types((ACCOUNTS, "9"), (ACCOUNTS, "1, 2"))
    assert session.code == 0
    assert re.search(r"Please type numbers from 1 to \d, or all\.", session.said)
    assert len(Connector(tmp_path).read(desk.config).rows("accounts")) == 2


def test_two_logins_of_which_one_needs_a_code(tmp_path: Path, simulator: Simulator) -> None:
    """The other one is linked meanwhile: its token is in the file before the code is typed."""
    desk = Desk(tmp_path, fleet_at(simulator, {"username": "user_good+two"}, {"username": "mfa+two"}))
    session = desk.types((CODE, "123456"))
    assert session.code == 0
    assert "Linked: 2 of 2." in session.said
    assert {key for key, link in desk.links.items() if "access_token" in link} == {"user_good+two", "mfa+two"}


@at("user_good")
def test_a_wrong_password_and_then_the_right_one(desk: Desk, simulator: Simulator, tmp_path: Path) -> None:
    """The new one goes into the same link session and into the file, so that a sync submits nothing."""
    edited = {**desk.config["connection"], "password": "pass_bad_1"}
    desk.path.write_text(json.dumps({**desk.config, "connection": edited}), encoding="utf-8")
    username = edited["username"]
    session = desk.types((PASSWORD, "pass_good"))
    assert (session.code, "pass_good" in session.shown, "pass_bad_1" in session.shown) == (0, False, False)
    assert desk.config["connection"]["password"] == "pass_good"
    assert simulator.backend.submissions(username) == 2
    Connector(tmp_path).read(desk.config)
    assert simulator.backend.submissions(username) == 2


def test_ctrl_c_in_the_middle(tmp_path: Path, simulator: Simulator) -> None:
    """It ends at once and says how each login stands; the file is valid and holds what was obtained."""
    desk = Desk(tmp_path, fleet_at(simulator, {"username": "instant+c"}, {"username": "mfa+c"}))
    session = desk.types((CODE, "^C"))
    assert session.code == 130
    assert "instant+c: linked" in session.said
    assert "mfa+c: needs you. MfaQuestion. The code was not given." in session.said
    assert [link.get("refused") for link in desk.links.values()] == [None, "MfaQuestion"]
    assert all("access_token" in link for link in desk.links.values())


@at("mfa")
def test_output_into_a_file_and_questions_on_the_terminal(desk: Desk, tmp_path: Path) -> None:
    """Results go where standard output goes, as plain lines; a person is still asked."""
    session = desk.types((CODE, "123456"), output=tmp_path / "out.txt")
    assert session.code == 0
    result = (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert re.match(r"hq: linked \(\d+ s\)\.\nLinked: 1 of 1\. ", result)
    assert "\x1b" not in result


@at("mfa")
def test_without_a_terminal_no_question_is_asked(desk: Desk, simulator: Simulator) -> None:
    """It fails with one clear line instead of hanging, and what it says has nothing that steers a terminal."""
    run = desk.pipes("link")
    assert run.code == 3
    said = " ".join(run.stdout.split())
    assert "hq: needs you. MfaQuestion. It needs a person, and there is no terminal to ask one" in said
    assert "\x1b" not in run.stdout + run.stderr
    again = desk.pipes("link")
    assert (again.code, simulator.backend.submissions(desk.config["connection"]["username"])) == (3, 1)


@at("user_good")
def test_a_password_from_standard_input(desk: Desk, tmp_path: Path) -> None:
    """It never stands on a command line; it is written into the output file, the source stays as it was."""
    without = {name: value for name, value in desk.config["connection"].items() if name != "password"}
    desk.path.write_text(json.dumps({**desk.config, "connection": without}), encoding="utf-8")
    before, output = desk.config, tmp_path / "linked.json"
    run = desk.pipes("link", "--password-stdin", "--output", str(output), text="pass_good\n")
    assert (run.code, desk.config) == (0, before)
    assert json.loads(output.read_text(encoding="utf-8"))["connection"]["password"] == "pass_good"
    assert "pass_good" not in run.stdout + run.stderr


@at("user_good")
def test_a_file_that_cannot_be_written(desk: Desk, simulator: Simulator, tmp_path: Path) -> None:
    """It says so before anything is sent, and what to do."""
    run = desk.pipes("link", "--output", str(tmp_path / "missing" / "linked.json"))
    assert run.code == 1
    assert "Cannot write" in run.stderr
    assert simulator.backend.submissions(desk.config["connection"]["username"]) == 0


@at("user_good")
def test_a_device_as_output_is_refused(desk: Desk, simulator: Simulator) -> None:
    """Root could replace the device by a file of secrets; nothing is sent before that is noticed."""
    run = desk.pipes("link", "--output", os.devnull)
    assert (run.code, "it is not a regular file" in " ".join(run.stderr.split())) == (1, True)
    assert Path(os.devnull).is_char_device()
    assert simulator.backend.submissions(desk.config["connection"]["username"]) == 0


@at("user_good")
def test_a_full_disk_is_noticed_before_anything_is_sent(desk: Desk, simulator: Simulator) -> None:
    """The file stays as it was, nothing is submitted."""
    before = desk.path.read_bytes()
    run = desk.on_small_disk(100)
    assert (run.code, desk.path.read_bytes()) == (1, before)
    assert "raise the limit" in " ".join(run.stderr.split())
    assert simulator.backend.submissions(desk.config["connection"]["username"]) == 0


@at("user_good")
def test_a_disk_that_fills_up_in_the_middle(desk: Desk, simulator: Simulator) -> None:
    """The file is the last one that could be written, and the login is reported as lost; no token is printed."""
    size = len(desk.path.read_bytes()) + 230  # room for the announcement, not for the token
    run = desk.on_small_disk(size)
    assert run.code == 1
    assert "NOT_WRITTEN" in run.stdout
    assert "access-" not in run.stdout + run.stderr
    assert list(desk.links["hq"]) == ["identity", "login", "submitted"]


@at("instant")
def test_a_full_disk_keeps_a_connection_from_being_deleted(desk: Desk, simulator: Simulator, tmp_path: Path) -> None:
    """What could not be taken out of the file is not deleted at the provider; the file is as it was, and alone."""
    assert desk.pipes("link").code == 0
    before, asked = desk.path.read_bytes(), simulator.backend.count("/connection/destroy")
    session = desk.types((CONFIRM, "hq"), command=("forget", "--key", "hq"), largest_file=100)
    assert (session.code, "raise the limit" in session.said, desk.path.read_bytes()) == (1, True, before)
    assert simulator.backend.count("/connection/destroy") == asked
    assert sorted(path.name for path in tmp_path.iterdir() if ".part" in path.name) == []


def test_a_utility_is_found(tmp_path: Path, simulator: Simulator) -> None:
    """The configuration needs no logins yet; the table folds what is long and cuts nothing."""
    config = login_at(simulator, "nobody")
    del config["connection"]
    desk = Desk(tmp_path, config)
    session = desk.types(command=("sources", "springfield"))
    assert session.code == 0
    for text in (simulator.source_id, "Springfield Power & Water", "US", "- login_secret: Password (secret)"):
        assert text in session.shown
    assert session.longest_line <= COLUMNS
    none = desk.pipes("sources", "no such utility")
    assert (none.code, desk.pipes("sources", "ab").code) == (1, 2)


def test_status_tells_people_and_programs(tmp_path: Path, simulator: Simulator) -> None:
    """A table that fits, the same as JSON, and an exit code for a scheduler."""
    desk = Desk(tmp_path, fleet_at(simulator, {"username": "instant+s"}, {"username": "mfa+s"}))
    assert desk.pipes("link").code == 3
    session = desk.types(command=("status",))
    assert session.code == 3
    assert re.search(r"mfa\+s +needs user +MfaQuestion", session.shown)
    assert session.longest_line <= COLUMNS
    as_json = desk.pipes("status", "--json")
    assert [one["status"] for one in json.loads(as_json.stdout)] == ["ready", "needs_user"]
    assert desk.types((CODE, "123456")).code == 0
    assert desk.pipes("status").code == 0


def test_a_connection_is_forgotten_after_its_key_was_typed(tmp_path: Path, simulator: Simulator) -> None:
    """Deleted at the provider, its link and entry gone, the other one untouched; a sync links nothing."""
    desk = Desk(tmp_path, fleet_at(simulator, {"username": "instant+f"}, {"username": "instant+g"}))
    assert desk.pipes("link").code == 0
    token = desk.links["instant+f"]["access_token"]
    command = ("forget", "--key", "instant+f")
    assert desk.pipes(*command, "--dry-run").code == 0
    assert desk.types((CONFIRM, "something else"), command=command).code == 1
    assert (desk.pipes(*command).code, simulator.backend.count("/connection/destroy")) == (3, 0)
    assert desk.types((CONFIRM, "instant+f"), command=command).code == 0
    assert simulator.backend.count("/connection/destroy") == 1
    assert list(desk.links) == ["instant+g"]
    assert [entry["key"] for entry in json.loads(desk.config["connection"]["connections"])] == ["instant+g"]
    assert token not in desk.path.read_text(encoding="utf-8")


@at("instant")
def test_forgetting_the_only_login_says_what_remains(desk: Desk, tmp_path: Path) -> None:
    """Keys and options stay; a sync fails with one sentence and submits nothing."""
    assert desk.pipes("link").code == 0
    session = desk.types((CONFIRM, "hq"), command=("forget", "--key", "hq"))
    assert session.code == 0
    assert "It was the only login: the keys and options stay in the file" in session.said
    assert "connection" not in desk.config
    assert "is missing" in Connector(tmp_path).check(desk.config).said


def test_a_dry_run_sends_nothing_and_masks_every_secret(tmp_path: Path, simulator: Simulator) -> None:
    """It tells every request with its body, in 80 columns; the file stays as it is."""
    desk = Desk(tmp_path, fleet_at(simulator, {"username": "user_good+d"}, {"username": "pin+d"}))
    before, asked = desk.path.read_bytes(), len(simulator.backend.journal)
    run = desk.pipes("link", "--dry-run")
    assert (run.code, desk.path.read_bytes(), len(simulator.backend.journal)) == (0, before, asked)
    assert run.stdout.count("/link/connect\n") == 2
    assert '"username": "user_good+d"' in run.stdout
    assert "pass_good" not in run.stdout
    assert max(map(len, run.stdout.split("\n"))) <= COLUMNS


@at("captcha")
def test_what_only_a_browser_can_do_is_said_plainly(desk: Desk) -> None:
    """With what to do instead."""
    session = desk.types()
    assert session.code == 3
    assert "The utility shows a captcha. Only a browser can do that" in session.said


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is not valid JSON (line 1, column 2): it ends too early"), ('{"environment": "moon"}', "must be one of")],
)
def test_a_mistake_in_the_configuration_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """The same sentences as the connector's, exit code 2, no traceback."""
    desk = Desk(tmp_path, {})
    desk.path.write_text(text, encoding="utf-8")
    run = desk.pipes("link")
    assert (run.code, run.stdout) == (2, "")
    assert said in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


@at("user_good")
def test_a_refused_password_is_only_replaced_never_repeated(desk: Desk, simulator: Simulator) -> None:
    """Without a person it is left; with one another password is asked for before anything is sent."""
    username = desk.config["connection"]["username"]
    wrong = {**desk.config, "connection": {**desk.config["connection"], "password": "pass_bad_1"}}
    desk.path.write_text(json.dumps(wrong), encoding="utf-8")
    assert [desk.pipes("link").code, desk.pipes("link", "--key", "hq").code] == [3, 3]
    assert desk.types((PASSWORD, ""), command=("link",)).code == 3
    assert simulator.backend.submissions(username) == 1
    assert "hq: nothing is sent before you type another password" in desk.pipes("link", "--dry-run").stdout
    assert desk.types((PASSWORD, "pass_good")).code == 0
    assert (simulator.backend.submissions(username), desk.config["connection"]["password"]) == (2, "pass_good")
    nothing = desk.pipes("link")
    assert (nothing.code, " ".join(nothing.stdout.split())) == (
        0,
        "Nothing to submit: 1 linked, 0 left. See `linkless status`.",
    )


def test_a_missing_password_is_asked_for_and_written(tmp_path: Path, simulator: Simulator) -> None:
    """In a pasted list of CSV, too; the dry run needs none, and Ctrl-C before it has sent nothing."""
    listed = f"key,source_id,username,password\nhq,{simulator.source_id},instant+csv,\n"
    connection = {"method": "fleet", "connections": listed}
    desk = Desk(tmp_path, login_at(simulator, "", connection=connection))
    assert desk.pipes("link").code == 2
    assert desk.pipes("link", "--dry-run").code == 0
    assert desk.types((PASSWORD, "^C")).code == 130
    assert simulator.backend.submissions("instant+csv") == 0
    assert desk.types((PASSWORD, "pass_good")).code == 0
    assert desk.config["connection"]["connections"] == listed.replace("+csv,", "+csv,pass_good")


@pytest.mark.parametrize(
    ("arguments", "text", "said"),
    [
        ((), "pass_good", "name its login with one --key"),
        (("--key", "nowhere"), "pass_good", "name its login with one --key"),
        (("--key", "instant+p"), "\n", "found no password"),
    ],
)
def test_a_password_without_its_login_is_refused(
    tmp_path: Path, simulator: Simulator, arguments: tuple[str, ...], text: str, said: str
) -> None:
    """One password belongs to one login."""
    desk = Desk(tmp_path, fleet_at(simulator, {"username": "instant+p"}, {"username": "instant+q"}))
    run = desk.pipes("link", "--password-stdin", *arguments, text=text)
    assert (run.code, said in run.stderr) == (2, True)


@at("instant")
def test_a_connection_that_is_gone_already_is_forgotten(desk: Desk, simulator: Simulator) -> None:
    """What the provider does not know any more is removed here all the same; an outage changes nothing."""
    assert desk.pipes("link").code == 0
    before = desk.config
    simulator.backend.fail_next("/connection/destroy", 401)
    failed = desk.types((CONFIRM, "hq"), command=("forget", "--key", "hq"))
    assert (failed.code, desk.config) == (1, before)
    simulator.backend.fail_next("/connection/destroy", 400, code="CONNECTION_NOT_FOUND")
    gone = desk.types((CONFIRM, "hq"), command=("forget", "--key", "hq"))
    assert (gone.code, "hq: not known to the provider" in gone.said) == (0, True)
    assert desk.pipes("forget", "--key", "hq").code == 2


def test_a_dry_run_tells_what_is_left(tmp_path: Path, simulator: Simulator) -> None:
    """Linked, in need of a browser, to be updated, with fields of its own: each is listed, nothing is sent."""
    names = ({"username": "instant+r"}, {"username": "captcha+r"}, {"username": "mfa+r"})
    desk = Desk(tmp_path, fleet_at(simulator, *names))
    assert desk.pipes("link").code == 3
    entries = json.loads(desk.config["connection"]["connections"])
    entries[2]["password"] = "pass_other"
    fields = {"key": "pin", "source_id": simulator.source_id, "login_fields": {"login_name": "ann", "pin_code": "9731"}}
    connection = {"method": "fleet", "connections": json.dumps([*entries, fields])}
    desk.path.write_text(json.dumps({**desk.config, "connection": connection}), encoding="utf-8")
    said = desk.pipes("link", "--dry-run").stdout
    assert "instant+r: left as it is; it has its token." in said
    assert "captcha+r: left as it is; it needs a person." in said
    assert "mfa+r: would update the credentials of its connection" in said
    assert ('"field_name": "pin_code"' in said, "9731" in said) == (True, False)


def test_refused_keys_are_one_sentence(tmp_path: Path, simulator: Simulator) -> None:
    """No traceback, exit code 1, nothing submitted, and the file is as it was."""
    desk = Desk(tmp_path, login_at(simulator, "instant+keys", secret="00000000-0000-4000-8000-000000000000"))
    before = desk.path.read_bytes()
    run = desk.pipes("link")
    assert (run.code, "The provider refused the keys." in " ".join(run.stderr.split())) == (1, True)
    assert (simulator.backend.submissions("instant+keys"), desk.config) == (0, json.loads(before))


@at("mfa")
def test_what_the_provider_says_back_of_a_secret_is_masked(desk: Desk, simulator: Simulator) -> None:
    """In a status, a question, the health of a connection and the name of a utility; and nothing steers a terminal."""
    backend, password = simulator.backend, "pass_good"
    secret = desk.config["secret"]

    def says(path: str, body: Mapping[str, Any]) -> None:
        backend.fail_next(path, 200, body=json.dumps(body).encode())

    says("/link/connection/status", {"status": f"Wait\x1b[2J{password}"})
    says("/link/authentication/mfa/get", {"question": f"Is {password} or {secret} right?\x1b]0;x\x07"})
    session = desk.types((CODE, "123456"))
    assert (session.code, "Is **** or **** right?" in session.said) == (0, True), session.said
    context = {
        "connection_id": password,
        "connection_status": "Connected",
        "connection_status_timestamp": f"{password}\x1b[1m",
        "provider": {"id": "x", "name": secret},
    }
    says("/connection/context", context)
    told = desk.pipes("status", "--json")
    says("/connection/context", context)
    shown = desk.pipes("status")
    says("/link/sources", {"sources": [{"source_id": "x", "name": f"Power {secret}", "website": password}]})
    found = desk.pipes("sources", "power")
    assert (told.code, shown.code, found.code) == (0, 0, 0)
    assert "Power ****" in found.stdout
    facts = json.loads(told.stdout)[0]
    assert (facts["connection_id"], facts["source_name"], facts["since"]) == ("****", "****", "**** [1m")
    everything = f"{session.shown}{told.stdout}{shown.stdout}{found.stdout}"
    assert [text for text in (password, secret, "\x1b", "\x07") if text in everything] == []
