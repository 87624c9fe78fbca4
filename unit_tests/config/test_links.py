"""What is remembered of each login, and whether it may be submitted: a customer's account must not be locked."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pendulum
import pytest
from airbyte_cdk import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.clock import utc_now
from source_linkless.config import Login, parse_config
from source_linkless.config.links import Link, Links, Step
from testing.fuzzing import examples
from testing.raw_forms import ENTRY, LOGIN, MASK, TOKEN, UTILITY, fleet, form

NOON = pendulum.datetime(2026, 11, 22, 12)
OURS = "access-production-0b7e1f4c-88a1-4a77-9d52-6d9f3c1e2a10"
CONNECTION_ID = "09f3c2d4-7d1e-4b6a-8c55-1a2b3c4d5e6f"
OTHER_UTILITY = "09320c5d-8552-47df-8aa3-98fe1c0b5506"
BY_FIELDS = {"method": "login", "source_id": UTILITY, "key": "site", "login_fields": '{"pin": "1234"}'}
BY_TOKEN = {"method": "access_token", "access_token": TOKEN, "key": "site"}


class Runs:
    """One configuration from run to run: each run reads what the one before has written."""

    def __init__(self) -> None:
        self.now = NOON
        self.text = "{}"
        self.salts = 0

    def links(self, raw: dict[str, Any]) -> Links:
        """Begin a run with a configuration."""
        return Links(parse_config({**raw, "links": self.text}), lambda: self.now, self.new_salt)

    def new_salt(self) -> str:
        """Make a salt and count it."""
        self.salts += 1
        return f"salt {self.salts}"

    def run(self, *deeds: str, connection: dict[str, Any] = LOGIN, **changes: Any) -> Step:
        """Do what a run does with its one login, write it back, and return the step it began with.

        A deed is the name of a method, with what it notes after a colon: "remember: token", "refuse: word".
        """
        config, links = self._begun(connection, changes)
        (login,) = config
        step = links.step(login)
        for deed in deeds:
            name, _, reason = deed.partition(": ")
            getattr(links, name)(login, *([reason] if reason else []))
        self.text = links.dump()
        return step

    def ask(self, question: str, connection: dict[str, Any] = LOGIN, **changes: Any) -> Any:
        """Ask a run about its one login."""
        (login,), links = self._begun(connection, changes)
        return getattr(links, question)(login)

    def pass_hours(self, hours: float) -> None:
        """Let time pass."""
        self.now = self.now.add(seconds=round(hours * 3600))

    def entry(self, key: str = "site") -> dict[str, Any]:
        """Return what is written of a key."""
        return dict(json.loads(self.text)["connections"][key])

    def _begun(self, connection: dict[str, Any], changes: dict[str, Any]) -> tuple[tuple[Login, ...], Links]:
        raw = form({"key": "site", **connection}, **changes)
        return parse_config(raw).logins, self.links(raw)


@pytest.fixture
def runs() -> Runs:
    """Nothing is known yet."""
    return Runs()


@pytest.fixture
def linked() -> Runs:
    """The ordinary login has a token."""
    runs = Runs()
    runs.run("announce", f"remember: {OURS}")
    return runs


def changed(**changes: Any) -> dict[str, Any]:
    """Return the ordinary login with changes."""
    return {**LOGIN, **changes}


def test_a_login_is_linked_and_its_token_is_used_ever_after(runs: Runs) -> None:
    """The first run links; the others use the token, however much later."""
    assert runs.run("announce", f"remember: {OURS}") is Step.LINK
    runs.pass_hours(10_000)
    assert runs.run() is Step.USE
    assert runs.ask("token") == OURS


def test_a_login_is_submitted_twice_and_again_after_a_day(runs: Runs) -> None:
    """Without a token, the third submission waits until the first is 24 hours old, and so on."""
    assert runs.run("announce") is Step.LINK
    runs.pass_hours(10)
    assert runs.run("announce") is Step.LINK
    runs.pass_hours(13.999)
    assert runs.run() is Step.EXHAUSTED
    runs.pass_hours(0.001)
    assert runs.run("announce") is Step.LINK
    assert runs.run() is Step.EXHAUSTED
    runs.pass_hours(10)
    assert runs.run("announce") is Step.LINK
    assert runs.run() is Step.EXHAUSTED


def test_only_the_last_two_submissions_are_kept(runs: Runs) -> None:
    """What is remembered of a login does not grow."""
    for _ in range(5):
        runs.run("announce")
        runs.pass_hours(24)
    assert runs.entry()["submitted"] == ["2026-11-25T12:00:00.000000Z", "2026-11-26T12:00:00.000000Z"]


def test_a_submission_that_never_arrived_does_not_count(runs: Runs) -> None:
    """Withdrawn announcements leave the two submissions as they were."""
    for _ in range(5):
        assert runs.run("announce", "withdraw") is Step.LINK
    assert "submitted" not in runs.entry()


def test_a_clock_set_back_allows_no_third_submission(runs: Runs) -> None:
    """A submission in the future is a recent one."""
    runs.run("announce")
    runs.run("announce")
    runs.pass_hours(-1000)
    assert runs.run() is Step.EXHAUSTED


def test_a_refused_login_is_never_submitted_again(runs: Runs) -> None:
    """Neither time nor the client secret's rotation changes that; the provider's word is remembered."""
    runs.run("announce", "refuse: InvalidCredentials")
    runs.pass_hours(100_000)
    assert runs.run(secret="rotated") is Step.REFUSED
    assert runs.ask("refused") == "InvalidCredentials"
    assert runs.ask("may_submit") is False


@pytest.mark.parametrize("change", [{"password": "corrected"}, {"attempt": 2}])
def test_a_refused_login_may_be_submitted_when_a_person_changes_it(runs: Runs, change: dict[str, Any]) -> None:
    """A corrected password or a raised attempt makes it a new login, with two submissions of its own."""
    runs.run("announce", "refuse: InvalidCredentials")
    login = changed(**change)
    assert runs.ask("refused", login) is None
    assert runs.ask("may_submit", login) is True
    assert runs.run("announce", connection=login) is Step.LINK
    assert runs.run("announce", connection=login) is Step.LINK
    assert runs.run(connection=login) is Step.EXHAUSTED


def test_another_password_updates_the_connection_and_keeps_its_token(linked: Runs) -> None:
    """The connection stays the same one, so its history and its id do."""
    login = changed(password="new")
    assert linked.run("announce", "remember", connection=login) is Step.UPDATE
    assert linked.run(connection=login) is Step.USE
    assert linked.ask("token", login) == OURS


def test_an_update_that_was_not_taken_is_tried_again(linked: Runs) -> None:
    """Until the provider has taken it, an update stays an update, at most twice in 24 hours; the token is kept."""
    login = changed(password="new")
    assert linked.run("announce", connection=login) is Step.UPDATE
    assert linked.run("announce", connection=login) is Step.UPDATE
    assert linked.run(connection=login) is Step.EXHAUSTED
    assert linked.ask("token", login) == OURS


def test_an_update_that_never_arrived_is_tried_again(linked: Runs) -> None:
    """A withdrawn update does not count, and is not forgotten either."""
    login = changed(password="new")
    for _ in range(4):
        assert linked.run("announce", "withdraw", connection=login) is Step.UPDATE


def test_a_refused_update_leaves_the_token_in_use(linked: Runs) -> None:
    """The connection still has its data; the refusal is remembered until the login changes again."""
    login = changed(password="wrong")
    linked.run("announce", "refuse: InvalidCredentials", connection=login)
    assert linked.run(connection=login) is Step.USE
    assert linked.ask("refused", login) == "InvalidCredentials"
    assert linked.run(connection=changed(password="right")) is Step.UPDATE


@pytest.mark.parametrize(
    ("connection", "options"),
    [
        (changed(username="somebody-else"), {}),
        (changed(source_id=OTHER_UTILITY), {}),
        (LOGIN, {"client_id": "client-2"}),
        (LOGIN, {"environment": "sandbox"}),
        (BY_FIELDS, {}),
    ],
)
def test_another_identity_is_linked_afresh(linked: Runs, connection: dict[str, Any], options: dict[str, Any]) -> None:
    """Another utility, user, client id or environment is another connection: its token would not fit."""
    assert linked.ask("token", connection, **options) is None
    assert linked.run("announce", connection=connection, **options) is Step.LINK
    assert "access_token" not in linked.entry()


@pytest.mark.parametrize(
    ("connection", "options"),
    [
        (LOGIN, {"secret": "rotated"}),
        (LOGIN, {"start_date": "2020-01-01", "failed_connections": "fail"}),
        (changed(username=" USER_GOOD "), {}),
    ],
)
def test_what_does_not_change_the_login_submits_nothing(
    linked: Runs, connection: dict[str, Any], options: dict[str, Any]
) -> None:
    """Rotating the client secret, other options and the spelling of the username leave the link as it is."""
    assert linked.run(connection=connection, **options) is Step.USE
    assert linked.ask("token", connection, **options) == OURS


def test_login_fields_are_told_apart_by_names_and_values(runs: Runs) -> None:
    """Other names are another identity; another value is a changed login; the order means nothing."""
    two = {**BY_FIELDS, "login_fields": '{"user": "u", "pin": "1"}'}
    runs.run("announce", f"remember: {OURS}", connection=two)
    assert runs.run(connection={**two, "login_fields": '{"pin": "1", "user": "u"}'}) is Step.USE
    assert runs.run(connection={**two, "login_fields": '{"user": "u", "pin": "2"}'}) is Step.UPDATE
    assert runs.run(connection={**two, "login_fields": '{"user": "u", "code": "1"}'}) is Step.LINK


def test_a_forgotten_token_is_linked_again_within_the_limit(linked: Runs) -> None:
    """The submission that made the token counts: one more is allowed on the same day."""
    assert linked.run("forget_token") is Step.USE
    assert linked.run("announce", f"remember: {OURS}") is Step.LINK
    linked.run("forget_token")
    assert linked.run() is Step.EXHAUSTED
    linked.pass_hours(24)
    assert linked.run() is Step.LINK


def test_a_forgotten_token_of_a_refused_login_is_not_linked_again(linked: Runs) -> None:
    """A person has to change the login first."""
    linked.run("refuse: Captcha", "forget_token")
    assert linked.run() is Step.REFUSED


@pytest.mark.parametrize(
    ("since", "refused"),
    [
        ("2026-11-22T12:00:01Z", None),
        ("2026-11-22T08:00:01-05:00", None),
        ("2026-11-22T12:00:00Z", "Captcha"),
        ("2026-11-22T11:59:59Z", "Captcha"),
        *(("soon", "Captcha"), (None, "Captcha")),
    ],
)
def test_a_session_after_the_last_submission_ends_a_refusal(
    linked: Runs, since: str | None, refused: str | None
) -> None:
    """Moments are compared as moments, whatever their layout; one that cannot be read is not later."""
    linked.run("refuse: Captcha")
    links, (login,) = linked.links(form({"key": "site", **LOGIN})), parse_config(form({"key": "site", **LOGIN})).logins
    links.recovered(login, since)
    assert links.refused(login) == refused


@pytest.mark.parametrize(("submitted", "refused"), [("soon", "Captcha"), ("2026-11-22T11:00:00Z", None)])
def test_a_refusal_stays_when_its_submission_has_no_time(linked: Runs, submitted: str, refused: str | None) -> None:
    """A damaged time is not earlier than a session."""
    linked.run("refuse: Captcha")
    linked.text = linked.text.replace("2026-11-22T12:00:00.000000Z", submitted)
    links, (login,) = linked.links(form({"key": "site", **LOGIN})), parse_config(form({"key": "site", **LOGIN})).logins
    links.recovered(login, "2026-11-22T12:00:00Z")
    assert links.refused(login) == refused


def test_a_person_may_ask_for_one_more_submission(runs: Runs) -> None:
    """Somebody who is there may repeat a refused login; what was not sent in the end leaves the refusal as it was."""
    runs.run("announce", "refuse: Captcha")
    before = runs.text
    assert runs.run("ask_again", "announce", "withdraw") is Step.REFUSED
    assert runs.text == before
    runs.run("ask_again", "announce", f"remember: {OURS}")
    assert runs.run() is Step.USE
    assert len(runs.entry()["submitted"]) == 1


def test_a_person_may_ask_for_a_linked_login_too(linked: Runs) -> None:
    """It is then an update, until the provider has taken it; the token stays."""
    linked.run("ask_again")
    assert linked.run("announce", "remember") is Step.UPDATE
    assert linked.run() is Step.USE
    assert linked.ask("token") == OURS


def test_a_login_that_is_not_known_can_be_asked_for_and_dropped(runs: Runs) -> None:
    """Nothing is remembered of it before or after."""
    assert runs.run("ask_again", "drop") is Step.LINK
    assert json.loads(runs.text)["connections"] == {}


def test_a_dropped_login_is_forgotten(linked: Runs) -> None:
    """Its token is not kept for a key that was taken out on purpose."""
    linked.run("drop")
    assert OURS not in linked.text


def test_the_user_s_own_token_is_used_and_never_linked(runs: Runs) -> None:
    """There is nothing to submit, so nothing is written either."""
    assert runs.run(connection=BY_TOKEN) is Step.USE
    assert runs.ask("token", BY_TOKEN) == TOKEN
    assert json.loads(runs.text)["connections"] == {}


def test_refreshes_of_the_user_s_own_token_count(runs: Runs) -> None:
    """A refresh is a login at the utility: twice in 24 hours, never after a refusal, and the token is not copied."""
    for _ in range(2):
        assert runs.ask("may_submit", BY_TOKEN) is True
        assert runs.run("announce", connection=BY_TOKEN) is Step.USE
    assert runs.ask("may_submit", BY_TOKEN) is False
    runs.pass_hours(24)
    assert runs.ask("may_submit", BY_TOKEN) is True
    runs.run("announce", "refuse: MfaCodeRequired", connection=BY_TOKEN)
    runs.pass_hours(1000)
    assert runs.ask("may_submit", BY_TOKEN) is False
    assert runs.ask("refused", BY_TOKEN) == "MfaCodeRequired"
    assert TOKEN not in runs.text


def test_a_refresh_of_a_linked_login_counts_with_its_submissions(linked: Runs) -> None:
    """Linking and refreshing share the limit, and a refresh is no update."""
    assert linked.ask("may_submit") is True
    assert linked.run("announce") is Step.USE
    assert linked.ask("may_submit") is False
    assert linked.run() is Step.USE


def test_the_salt_is_made_once(runs: Runs) -> None:
    """Another salt would make every fingerprint a stranger, and every login would be submitted again."""
    runs.run("announce", f"remember: {OURS}")
    salt = json.loads(runs.text)["salt"]
    runs.run()
    runs.run(client_id="client-2")
    assert runs.salts == 1
    assert json.loads(runs.text)["salt"] == salt


def test_fingerprints_depend_on_the_salt() -> None:
    """Who sees the links of two customers cannot tell whether they share a password."""
    one, other = Runs(), Runs()
    other.salts = 7
    for runs in (one, other):
        runs.run("announce")
    assert one.entry()["login"] != other.entry()["login"]
    assert one.entry()["identity"] != other.entry()["identity"]


def test_what_is_written_is_read_back(linked: Runs) -> None:
    """A run that changes nothing writes the same text, so nothing is sent."""
    linked.run("announce", connection=changed(password="new"))
    before = linked.text
    linked.run(connection=changed(password="new"))
    assert linked.text == before
    assert linked.entry() == {
        "access_token": OURS,
        "identity": linked.entry()["identity"],
        "login": linked.entry()["login"],
        "submitted": ["2026-11-22T12:00:00.000000Z"],
        "updating": True,
    }


def many(count: int, letter: str = "k") -> dict[str, Any]:
    """Return a configuration of many logins."""
    return fleet([changed(key=f"{letter}{number}", username=f"{letter}{number}") for number in range(count)])


def test_a_connection_id_is_kept_with_its_token_and_goes_with_it(runs: Runs) -> None:
    """It is learnt from the exchange or from a status, and belongs to the connection of that token."""
    raw = many(1)
    (login,) = parse_config(raw).logins
    links = runs.links(raw)
    links.note_connection(login, CONNECTION_ID)
    assert links.connection_id(login) is None
    links.announce(login)
    links.remember(login, OURS, CONNECTION_ID)
    runs.text = links.dump()
    links = runs.links(raw)
    assert links.connection_id(login) == CONNECTION_ID
    links.note_connection(login, "c-2")
    assert links.connection_id(login) == "c-2"
    links.forget_token(login)
    assert links.connection_id(login) is None


@pytest.mark.parametrize("odd", ["", "*" * 36, "x" * 65, "a b", "\ud83d", '"'])
def test_an_odd_connection_id_is_not_remembered(runs: Runs, odd: str) -> None:
    """What is remembered must be readable again, and small."""
    (login,) = parse_config(many(1)).logins
    links = runs.links(many(1))
    links.announce(login)
    links.remember(login, OURS, odd)
    links.note_connection(login, odd)
    runs.text = links.dump()
    assert runs.links(many(1)).connection_id(login) is None


def test_links_of_departed_keys_are_kept_while_there_is_room(runs: Runs) -> None:
    """A login that comes back to the list needs no second submission."""
    links = runs.links(many(3))
    for login in parse_config(many(3)).logins:
        links.announce(login)
        links.remember(login, f"{OURS}-{login.key}")
    runs.text = links.dump()
    runs.text = runs.links(many(1)).dump()
    links = runs.links(many(3))
    assert [links.step(login) for login in parse_config(many(3)).logins] == [Step.USE] * 3


def linked_many(runs: Runs, raw: dict[str, Any], most: int = 10_000) -> list[str]:
    """Link the logins of a configuration while there is room; the tokens come after all announcements."""
    links, announced = runs.links(raw), []
    for login in parse_config(raw).logins[:most]:
        if links.has_room():
            links.announce(login)
            announced.append(login)
    for login in announced:
        links.remember(login, f"{OURS}-{login.key}", CONNECTION_ID)
    runs.text = links.dump()
    return [login.key for login in announced]


def test_links_of_departed_keys_go_when_the_room_is_needed(runs: Runs) -> None:
    """Then only what is configured is written, and that whole."""
    linked_many(runs, many(200, "old"))
    raw = many(200, "new")
    links = runs.links(raw)
    for login in parse_config(raw).logins:
        links.announce(login)
    assert set(json.loads(links.dump())["connections"]) == {login.key for login in parse_config(raw).logins}


def test_room_is_for_whole_links(runs: Runs) -> None:
    """Every login that was announced while there was room finds room for its token too."""
    announced = linked_many(runs, many(350))
    assert 170 < len(announced) < 350
    assert 0.85 * Links.LIMIT_BYTES < len(runs.text.encode()) <= Links.LIMIT_BYTES


def test_keys_of_any_script_are_kept(runs: Runs) -> None:
    """Sizes are sizes of what is stored, so every character of a key counts as it is written."""
    runs.run("announce", connection=changed(key="Zählerstraße 7 ⚡"))
    assert runs.entry("Zählerstraße 7 ⚡")["submitted"]
    assert runs.text.isascii()


GOOD = {"identity": "0123456789abcdef", "login": "0123456789abcdef", "access_token": OURS}


def links_with(**changes: Any) -> str:
    """Return written links whose one entry has changes."""
    return json.dumps({"salt": "s", "connections": {"site": {**GOOD, **changes}}})


@pytest.mark.parametrize(
    "text",
    [
        *("{", "nonsense", "[]", "null", '"text"', "7"),
        *('{"connections": []}', '{"connections": null}', '{"salt": 7}', '{"salt": "s", "connections": {"a": null}}'),
        json.dumps({"connections": {"site": GOOD}}),
        json.dumps({"salt": "", "connections": {"site": GOOD}}),
        json.dumps({"salt": "s", "connections": {"site": {"identity": "i"}}}),
        json.dumps({"salt": "s", "connections": {"site": {"login": "l"}}}),
        *(links_with(access_token=value) for value in (7, "", MASK, ["t"])),
        *(links_with(identity=value) for value in (7, "", MASK, None)),
        *(links_with(submitted=value) for value in (7, [7], [""], None)),
        *(links_with(refused=value) for value in (True, "", MASK)),
        links_with() + "}",
    ],
)
def test_links_that_cannot_be_read_are_refused_without_quoting_them(runs: Runs, text: str) -> None:
    """Linking everything once more could lock accounts: a person decides, and no token gets into a message."""
    runs.text = text
    with pytest.raises(AirbyteTracedException) as caught:
        runs.links(form())
    assert caught.value.failure_type is FailureType.config_error
    assert "nothing was submitted" in str(caught.value.message)
    assert "empty it to link every login once more" in str(caught.value.message)
    assert caught.value.__cause__ is None
    assert OURS not in f"{caught.value.message}{caught.value.internal_message}{caught.value!r}"


@pytest.mark.parametrize("text", ["*", MASK, f" {MASK} "])
def test_masked_links_are_refused_by_name(runs: Runs, text: str) -> None:
    """A form that shows asterisks and saves them has lost every link; the message says so."""
    runs.text = text
    with pytest.raises(AirbyteTracedException) as caught:
        runs.links(form())
    assert str(caught.value.message).startswith("'links' was masked by a form or an export: it holds only asterisks.")


@pytest.mark.parametrize("text", ["", "{}", '{"salt": "s"}', '{"connections": {}}', '{"salt": null}'])
def test_no_links_yet_is_no_mistake(runs: Runs, text: str) -> None:
    """An empty property means that nothing was linked."""
    runs.text = text
    assert runs.ask("step") is Step.LINK


def test_a_time_that_cannot_be_read_is_a_recent_one(runs: Runs) -> None:
    """When in doubt, a login is not submitted."""
    runs.run("announce")
    links = json.loads(runs.text)
    links["connections"]["site"]["submitted"] = ["yesterday", "the day before"]
    runs.text = json.dumps(links)
    assert runs.run() is Step.EXHAUSTED


def test_a_link_shows_no_token() -> None:
    """Neither in a log line nor in a failing test."""
    assert OURS not in f"{Link('i', 'l', access_token=OURS)!r}{Link('i', 'l', access_token=OURS)}"


DEEDS = ["token", "refused", "lost", "not reached", "refresh", "refresh refused", "forget", "password", "attempt"]


@examples(60)
@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.floats(0.0, 30.0)), max_size=16))
def test_no_history_submits_a_login_too_often(history: list[tuple[str, float]]) -> None:
    """Whatever happens, no login is submitted a third time within 24 hours, nor at all once it was refused.

    A login is its credentials and its attempt; a person only ever changes them to something new.
    """
    runs, version = Runs(), {"password": 0, "attempt": 1}
    sent: dict[tuple[int, ...], list[pendulum.DateTime]] = defaultdict(list)
    refused: set[tuple[int, ...]] = set()
    for deed, hours in history:
        if deed in version:
            version[deed] += 1
            continue
        runs.pass_hours(hours)
        login = changed(password=f"very secret {version['password']}", attempt=version["attempt"])
        this, before = tuple(version.values()), len(sent[tuple(version.values())])
        _one_run(runs, login, deed, sent[this])
        assert len(sent[this]) == before or this not in refused
        assert len([moment for moment in sent[this] if (runs.now - moment).total_hours() < 24]) <= 2
        if "refused" in deed and len(sent[this]) > before:
            refused.add(this)
        assert "very secret" not in runs.text


def _one_run(runs: Runs, login: dict[str, Any], deed: str, sent: list[pendulum.DateTime]) -> None:
    """Do what the connector does, with one outcome of the submission, and note the submissions that arrived."""
    step, token = runs.ask("step", login), runs.ask("token", login)
    if step in (Step.LINK, Step.UPDATE):
        runs.run("announce", connection=login)
        if deed == "not reached":
            runs.run("withdraw", connection=login)
            return
        sent.append(runs.now)
        if "refused" in deed:
            runs.run("refuse: Captcha", connection=login)
        elif deed == "token":
            runs.run("remember" if token else f"remember: {OURS}", connection=login)
    elif token and deed == "forget":
        runs.run("forget_token", connection=login)
    elif token and deed.startswith("refresh") and runs.ask("may_submit", login):
        sent.append(runs.now)
        runs.run("announce", *(["refuse: MfaCodeRequired"] if "refused" in deed else []), connection=login)


class _Counted(dict[str, str]):
    """Login fields that count how often they are read."""

    reads = 0

    def items(self) -> Any:
        """Count, and return them."""
        self.reads += 1
        return super().items()


def test_a_login_is_recognized_by_one_computation_in_a_run(runs: Runs) -> None:
    """Every look at a link compares fingerprints; those of a corrected login are its own."""
    links = runs.links(form(BY_FIELDS))
    fields = _Counted(pin="1234")
    login = Login("site", UTILITY, fields=fields)
    links.announce(login)
    links.remember(login, OURS)
    assert [links.step(login) for _ in range(3)] == [Step.USE] * 3
    assert fields.reads == 1
    assert links.step(Login("site", UTILITY, fields={"pin": "9999"})) is Step.UPDATE
    assert links.step(login) is Step.USE


def test_links_that_lost_entries_are_told_with_their_number() -> None:
    """Without `connections`, or with entries cut out, logins are submitted again; in the first run there is no link."""
    entries = [{**ENTRY, "key": key, "username": key} for key in ("one", "two", "three")]
    linked = {"identity": "i", "login": "l", "access_token": TOKEN}

    def notice(links: Any) -> str | None:
        return Links(parse_config(fleet(entries, links=json.dumps(links))), utc_now, lambda: "salt").notice()

    assert notice({}) is None
    assert str(notice({"salt": "s"})).startswith("'links' remembers nothing of 3 of 3 logins, ")
    assert str(notice({"salt": "s", "connections": {"one": linked}})).startswith("'links' remembers nothing of 2 of 3 ")
    assert notice({"salt": "s", "connections": dict.fromkeys(("one", "two", "three"), linked)}) is None
