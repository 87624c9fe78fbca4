"""The file of a configuration in `scripts/demo` and `scripts/sync`: what was written back is kept, and kept safe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.configuration import (
    UnusableError,
    keep_links,
    linked_keys,
    read_configuration,
    write_configuration,
)


def test_links_are_kept_for_the_owner_alone(tmp_path: Path) -> None:
    """The file holds tokens after the first sync, so nobody else may read it, whatever its mode was before."""
    path = tmp_path / "config.json"
    path.write_text('{"secret": "s"}')
    path.chmod(0o644)
    keep_links(path, {"secret": "s", "links": "{}"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"secret": "s", "links": "{}"}


def test_an_edit_made_during_the_sync_stays(tmp_path: Path) -> None:
    """The connector writes back the configuration it started with; only its links are taken from that."""
    path = tmp_path / "config.json"
    write_configuration(path, {"start_date": "2024-01-01"})
    keep_links(path, {"start_date": "2020-01-01", "links": '{"salt": "x"}'})
    assert read_configuration(path) == {"start_date": "2024-01-01", "links": '{"salt": "x"}'}


def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    """A configuration that lives elsewhere is completed there."""
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("{}")
    link.symlink_to(real)
    keep_links(link, {"links": "{}"})
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"links": "{}"}


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    """The old file is whole and alone when the new one cannot be written."""
    path = tmp_path / "config.json"
    path.write_text("{}")
    with pytest.raises(TypeError):
        write_configuration(path, {"links": object()})
    assert path.read_text() == "{}"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b'{"secret": "hush"',
            "is not valid JSON (line 1, column 18): it ends too early, is a bracket or quote missing.",
        ),
        (b'["hush"]', "must hold a JSON object, in braces, but it holds an array."),
        (b"\xff\xfehush", "is not written in UTF-8 (line 1, byte 1): save it as UTF-8."),
    ],
)
def test_an_unusable_file_is_said_in_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    """The user learns what is wrong with the file; nothing in it is repeated."""
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(UnusableError) as refusal:
        read_configuration(path)
    assert str(refusal.value) == f"The configuration file {path} {sentence}"


def test_a_missing_file_is_said_in_one_sentence(tmp_path: Path) -> None:
    """The user learns which file is missing."""
    path = tmp_path / "config.json"
    with pytest.raises(UnusableError) as refusal:
        read_configuration(path)
    assert str(refusal.value) == f"The configuration file {path} does not exist."


def test_a_refused_login_is_not_linked() -> None:
    """The demo's provider knows again the logins that worked, not the one with the wrong password."""
    connections = {
        "good": {"access_token": "t"},
        "refused": {"access_token": "t", "refused": "InvalidCredentials"},
        "never": {"submitted": []},
    }
    assert linked_keys({"links": json.dumps({"connections": connections})}) == {"good"}
    assert linked_keys({}) == set()
