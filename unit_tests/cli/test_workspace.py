"""The configuration file of the command: one value changes, the others stay, and a file is replaced as a whole."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.cli.workspace import ConfigText, lacks_password, replace_file
from source_linkless.config.logins import read_entries
from source_linkless.json_files import FileProblem
from testing.fuzzing import examples

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6).map(str.strip)
NAMES = st.sampled_from(["start_date", "links", "é", "poll_interval_seconds"])
VALUES = st.text(max_size=5) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()


def config(text: str, links: str | None = None) -> ConfigText:
    """Return the text of a configuration file, with other links if they are given."""
    made = ConfigText(text, Path("config.json"))
    if links is not None:
        made.raw["links"] = links
    return made


@examples(50)
@given(st.dictionaries(NAMES, VALUES), st.sampled_from([None, 1, 2, "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_a_changed_file_has_the_order_indentation_and_line_ends_of_the_old_one(
    before: dict[str, Any], indent: Any, end: str
) -> None:
    """One property is set, at its old place or at the end; everything else is written as it was."""
    text = json.dumps(before, indent=indent, ensure_ascii=False).replace("\n", end) + end
    changed = config(text, links="new")
    expected = {**before, "links": "new"}
    assert list(json.loads(changed.text).items()) == list(expected.items())
    if before:
        assert changed.text == json.dumps(expected, indent=indent, ensure_ascii=False).replace("\n", end) + end


def test_a_file_that_does_not_change_keeps_every_character() -> None:
    """Odd spacing and twice the same property included."""
    text = '{\r\n\t"a" : "\\u00e9",  "a": 1e3, "links":"x"}'
    assert config(text, links="x").text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name": "\\u00e9"}', '{"name": "\\u00e9", "links": "x"}'),
        ('\ufeff{"name": "é"}\n', '\ufeff{"name": "é", "links": "x"}\n'),
        ("{}", '{"links": "x"}'),
        ('{"links": "old", "a": [1.0]}', '{"links": "x", "a": [1.0]}'),
    ],
)
def test_escapes_and_marks_stay(text: str, expected: str) -> None:
    """A file written with escapes gets escapes, and a byte order mark stays at the beginning."""
    assert config(text, links="x").text == expected


ROWS = st.lists(st.fixed_dictionaries({"key": CELLS.filter(bool), "username": CELLS, "password": CELLS}), min_size=1)


def _csv(rows: list[dict[str, str]], delimiter: str, ending: str, blank: str) -> str:
    page = io.StringIO(newline="")
    writer = csv.DictWriter(page, ["key", "username", "password"], delimiter=delimiter, lineterminator=ending)
    writer.writeheader()
    for row in rows:
        writer.writerow(row)
        page.write(blank)
    return page.getvalue()


@examples(50)
@given(ROWS, st.data(), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\n"]))
def test_a_cell_of_a_pasted_list_is_changed(
    rows: list[dict[str, str]], data: st.DataObject, delimiter: str, ending: str, blank: str
) -> None:
    """The row has the new password; every other row reads as it did, and forgetting a row leaves the others."""
    number = data.draw(st.integers(0, len(rows) - 1))
    password = data.draw(CELLS.filter(bool))
    text = _csv(rows, delimiter, ending, blank)
    before = read_entries(text)
    changed = config(fleet(text))
    changed.set_password(number, password)
    assert changed.entries == [*before[:number], {**before[number], "password": password}, *before[number + 1 :]]
    if len(rows) > 1:
        shorter = config(fleet(text))
        shorter.replace_entry(number)
        assert ConfigText(shorter.text, shorter.path).entries == [*before[:number], *before[number + 1 :]]


def test_a_list_that_begins_with_a_mark_is_changed() -> None:
    """Spreadsheets begin a file with a byte order mark; it stays."""
    changed = config(fleet("\ufeffkey;username;password\na;ann;x\n"))
    changed.set_password(0, "new")
    assert changed.raw["connection"]["connections"] == "\ufeffkey;username;password\na;ann;new\n"


LOGIN = '{"connection": {"method": "login", "username": "ann", "password": "old"}, "start_date": "2023-01-01"}'


def fleet(listed: str | list[Any]) -> str:
    """Return the text of a configuration with a pasted list."""
    return json.dumps({"connection": {"method": "fleet", "connections": listed}, "start_date": "2023-01-01"})


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        (LOGIN, 0, [{"method": "login", "username": "ann", "password": "né,w"}]),
        (
            fleet('[{"key": "a"},\n {"key": "b", "password": "old"}]'),
            1,
            [{"key": "a"}, {"key": "b", "password": "né,w"}],
        ),
        (fleet([{"key": "a"}, {"key": "b"}]), 1, [{"key": "a"}, {"key": "b", "password": "né,w"}]),
        (fleet("key,password\na,old\nb,old\n"), 1, [{"key": "a", "password": "old"}, {"key": "b", "password": "né,w"}]),
    ],
)
def test_a_password_is_put_where_its_login_stands(text: str, number: int, expected: list[Any]) -> None:
    """In the form, in a JSON list pasted as text or given as an array, in a CSV list."""
    changed = config(text)
    changed.set_password(number, "né,w")
    assert ConfigText(changed.text, changed.path).entries == expected
    assert changed.raw["start_date"] == "2023-01-01"


@pytest.mark.parametrize(
    ("listed", "expected"),
    [('[{"key": "a"}, {"key": "b"}]', [{"key": "b"}]), ("key,password\na,x\nb,y\n", [{"key": "b", "password": "y"}])],
)
def test_an_entry_is_taken_out_of_a_list(listed: str, expected: list[Any]) -> None:
    """The others stay."""
    changed = config(fleet(listed))
    changed.replace_entry(0)
    assert ConfigText(changed.text, changed.path).entries == expected


@pytest.mark.parametrize("text", [LOGIN, fleet('[{"key": "a"}]')])
def test_the_last_login_takes_the_connection_with_it(text: str) -> None:
    """No username and no password stays behind, and a sync says that there is no login."""
    changed = config(text)
    changed.replace_entry(0)
    assert json.loads(changed.text) == {"start_date": "2023-01-01"}


def test_a_list_without_a_column_for_passwords_says_so() -> None:
    """The sentence names what is missing."""
    with pytest.raises(AirbyteTracedException, match="column 'password'"):
        config(fleet("key,username\na,b\n")).set_password(0, "new")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "is empty"),
        ("[]", "must hold a JSON object"),
        ("{", "is not valid JSON"),
        ("null", "must hold a JSON object"),
        ('{"a": NaN}', "is not valid JSON"),
        ('{"a": 1e999}', "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
    ],
)
def test_a_file_that_is_no_object_is_refused(text: str, mistake: str) -> None:
    """What the connector could not read is not touched; the sentence is the connector's, and a config error."""
    with pytest.raises(AirbyteTracedException, match=f"The configuration file config.json {mistake}"):
        config(text)


@pytest.mark.parametrize("raw", [{}, {"connection": 1}, {"connection": {"method": "fleet", "connections": "{"}}])
def test_a_broken_configuration_has_no_entries(raw: dict[str, Any]) -> None:
    """The parser reports its mistake."""
    assert config(json.dumps(raw)).entries == []


@pytest.mark.parametrize(
    ("entry", "lacks"),
    [
        ({"username": "ann"}, True),
        ({"username": "ann", "password": ""}, True),
        ({"username": "ann", "password": "x"}, False),
        ({"username": "ann", "login_fields": "{}"}, False),
        ({"access_token": "x"}, False),
        ({}, False),
    ],
)
def test_a_password_is_missing_where_a_username_stands_alone(entry: dict[str, str], *, lacks: bool) -> None:
    """Only then a person is asked for one."""
    assert lacks_password(entry) is lacks


def test_a_file_is_replaced_for_its_owner_only(tmp_path: Path) -> None:
    """Other users cannot read it afterwards, whatever its mode was; no temporary file is left in the folder."""
    path = tmp_path / "config.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    replace_file(path, "né\r\n".encode())
    assert path.read_bytes() == "né\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["config.json"]


def test_a_symbolic_link_is_refused_and_stays(tmp_path: Path) -> None:
    """A planted link must not lead a command of root to another file."""
    path, link = tmp_path / "real.json", tmp_path / "link.json"
    path.write_text("old", encoding="utf-8")
    link.symlink_to(path)
    with pytest.raises(FileProblem, match="is not a regular file"):
        replace_file(link, b"new")
    assert (link.is_symlink(), path.read_text(encoding="utf-8")) == (True, "old")


def test_a_device_and_a_pipe_are_refused_and_stay(tmp_path: Path) -> None:
    """Replacing one would take it away from every other program."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(FileProblem, match="is not a regular file"):
            replace_file(path, b"new")
        assert not path.is_file()
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_another_file_is_written_and_the_first_stays(tmp_path: Path) -> None:
    """With a target the source is not touched."""
    source, target = tmp_path / "config.json", tmp_path / "linked.json"
    source.write_text('{"links": "old"}', encoding="utf-8")
    changed = ConfigText.read(source)
    changed.raw["links"] = "new"
    changed.write(target)
    assert [path.read_text(encoding="utf-8") for path in (source, target)] == ['{"links": "old"}', '{"links": "new"}']


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The sentence names the file, the system's reason and what to do."""
    path = tmp_path / "missing" / "config.json"
    with pytest.raises(FileProblem) as told:
        replace_file(path, b"new")
    assert str(told.value) == (f"Cannot write {path}: {os.strerror(errno.ENOENT)}. Make its folder writable.")


def test_a_folder_is_refused_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    """A folder cannot be replaced; no temporary file stays behind."""
    (tmp_path / "config.json").mkdir()
    with pytest.raises(FileProblem):
        replace_file(tmp_path / "config.json", b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["config.json"]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Missing, or not text."""
    with pytest.raises(FileProblem, match=r"The configuration file .*none.json does not exist."):
        ConfigText.read(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(FileProblem, match="not written in UTF-8"):
        ConfigText.read(tmp_path / "bytes.json")
