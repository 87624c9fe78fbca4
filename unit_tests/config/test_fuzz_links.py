"""Invented values of the property `links`: understood, or refused before anything is submitted."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from linkless_simulator.sources import ORDINARY
from source_linkless.clock import stamp
from source_linkless.config import parse_config
from source_linkless.config.links import Links
from testing.fuzzing import examples, result_or_refusal, sentence_of
from testing.record_rules import broken_rules
from testing.strange_json import anything, damaged, damaged_text, texts
from testing.worlds import World

SITES = (("site", ORDINARY.source_id), ("other", ORDINARY.source_id.replace("7d9f", "7d9e")))
STAMP = stamp(World().surroundings().now())


def written(*, is_refused: bool, is_linked: bool) -> dict[str, Any]:
    """Return the links as the connector writes them after two logins were submitted."""
    world = World()
    entries = [{**world.entry("user_good"), "key": key, "source_id": source} for key, source in SITES]
    entries[1]["username"] = "instant"
    config = parse_config(world.fleet(entries))
    links = Links(config, world.surroundings().now, lambda: "salt-of-the-tests")
    for login in config.logins:
        links.announce(login)
        if is_linked:
            links.remember(login, world.backend.link(login.username or ""))
        if is_refused:
            links.refuse(login, "InvalidCredentials")
    value: dict[str, Any] = json.loads(links.dump())
    return value


valid = st.sampled_from(
    [written(is_refused=refused, is_linked=linked) for refused in (True, False) for linked in (True, False)]
)
# Copied, because damage is done in place.
odd = st.sampled_from([STAMP, [STAMP], [STAMP, STAMP], "x", ["x"], {"x": "y"}, "\ud800"]).map(copy.deepcopy)
strange_links = damaged(valid, anything | odd).map(json.dumps)
strange_texts = strange_links | damaged_text(valid.map(json.dumps)) | texts | anything.map(json.dumps)


# How a login may end whose token or past is another than it was.
ENDS = {None, "SUBMITTED_TWICE", "InvalidCredentials", "CONNECTION_NOT_FOUND", "INVALID_ACCESS_TOKEN"}


@examples(30)
@given(strange_texts)
@example("[" * 100_000)
@example('{"salt":"\\ud800","connections":{}}')
def test_any_links_are_understood_or_nothing_is_submitted(links: str) -> None:
    """Either one sentence that tells what to do, and no request; or a sync like any other, with a whole write-back."""
    world = World()
    sync, refusal = result_or_refusal(lambda: world.read(world.config(links=links)))
    if sync is None or refusal is not None:
        assert refusal is not None
        assert "links" in sentence_of(refusal)
        assert world.backend.journal == []
        return
    assert broken_rules(sync.messages) == []
    row = sync.row("site")
    assert row.get("reason") in ENDS or row["status"] == "needs_user"
    if sync.config is not None:
        assert world.read(sync.config).row("site")["status"] == row["status"]
    assert world.count("/link/connect") <= 1
