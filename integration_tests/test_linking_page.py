"""The page about the command shows what really appears on the screen."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from integration_tests.test_linkless_command import ACCOUNTS, CODE, CONFIRM, PASSWORD, Desk
from linkless_simulator import Simulator
from testing.connector import Connector, fleet_at
from testing.forked_command import type_at

PAGE = Path(__file__).parent.parent / "docs" / "linking.md"
CONFIG = ["--config", "config.json"]
_BLOCK = re.compile(r"^( *)```\n( *\$ .*?)^ *```$", re.DOTALL | re.MULTILINE)

LOGINS = (
    {"username": "user_good", "key": "hq-power"},
    {"username": "mfa", "key": "plant-2"},
    {"username": "account_selection", "key": "plant-3"},
    {"username": "user_good+depot", "password": "pass_old", "key": "depot"},
    {"username": "captcha", "key": "shop"},
)

Talk = tuple[tuple[str, str], ...]


def steady(text: str) -> str:
    """Return a screen without what differs from day to day and from machine to machine."""
    text = re.sub(r"\(\d+ s\)", "(N s)", text)
    text = re.sub(r"within \d:\d\d", "within N", text)
    return re.sub(r"\d{4}-\d\d-\d\d", "DATE", text).strip()


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory, simulator: Simulator) -> set[str]:
    """Return every screen of the page, made again in its order."""
    folder = tmp_path_factory.mktemp("page")
    made: set[str] = set()

    def show(*arguments: str, talk: Talk = ()) -> None:
        _, screen = type_at([*arguments, *CONFIG], talk, folder, None)
        made.add(steady(f"$ linkless {' '.join([*arguments, *CONFIG])}\n{screen}"))

    two = Desk(folder, fleet_at(simulator, *LOGINS[:2]))
    show("sources", "springfield")
    show("link", talk=((CODE, "111111"), (CODE, "123456")))
    Desk(folder, {**fleet_at(simulator, *LOGINS), "links": two.config["links"]})
    show("link", "--key", "plant-3", talk=((ACCOUNTS, "1,3"),))
    show("link", "--key", "depot", talk=((PASSWORD, "pass_good"),))
    show("link", "--key", "shop")
    Connector(folder).read(two.config)
    Connector(folder).read(two.config)
    show("status")
    show("forget", "--key", "plant-2", talk=((CONFIRM, "plant-2"),))
    return made


def test_every_screen_of_the_page_is_real(screens: set[str]) -> None:
    """Times and dates aside, each block that begins with a command is what the command shows."""
    page = PAGE.read_text(encoding="utf-8")
    shown = {steady(textwrap.dedent(block)) for _, block in _BLOCK.findall(page)}
    assert shown == screens
