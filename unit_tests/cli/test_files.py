"""The configuration file of the command: one place changes, everything else stays, and never half a file."""

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

from source_linkless.cli import csv_text, json_text
from source_linkless.cli.config_file import ConfigFile, FileProblem
from source_linkless.cli.config_text import ConfigText, lacks_password
from source_linkless.config.logins import read_entries
from testing.fuzzing import examples

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=4)
INDENTS = st.sampled_from([None, 0, 2, "\t"])
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6).map(str.strip)


@examples(50)
@given(OBJECTS, st.text(max_size=3), JSON_VALUES, INDENTS)
def test_a_property_is_set_and_the_order_stays(before: dict[str, Any], name: str, value: Any, indent: Any) -> None:
    """The result is the same object with one property set, at its old place or at the end."""
    text = json.dumps(before, indent=indent)
    assert json.loads(json_text.replaced(text, [name], value)) == {**before, name: value}
    assert list(json.loads(json_text.replaced(text, [name], value))) == list({**before, name: value})


@examples(50)
@given(OBJECTS, st.text(max_size=3), INDENTS)
def test_a_property_is_taken_out_and_the_others_stay(before: dict[str, Any], name: str, indent: Any) -> None:
    """The result is the same object without the property, in its order."""
    text = json.dumps({**before, name: 1}, indent=indent)
    after = json.loads(json_text.removed(text, [name]))
    assert list(after.items()) == [item for item in before.items() if item[0] != name]


@examples(50)
@given(st.lists(JSON_VALUES, min_size=1, max_size=4), st.data(), INDENTS)
def test_an_item_of_an_array_is_taken_out(before: list[Any], data: st.DataObject, indent: Any) -> None:
    """Positions count from 0."""
    number = data.draw(st.integers(0, len(before) - 1))
    after = json.loads(json_text.removed(json.dumps(before, indent=indent), [number]))
    assert after == before[:number] + before[number + 1 :]


def test_spelling_and_indentation_stay() -> None:
    """What is not changed keeps every character, odd spacing and escapes included."""
    text = '{\r\n\t"a" : "\\u00e9",\r\n\t"b":{"c":[1.0,  1e3]}, "links":"{}"\r\n}\r\n'
    changed = json_text.replaced(text, ["links"], "new")
    assert changed == text.replace('"{}"', '"new"')
    assert json_text.replaced(text, ["b", "d"], "é") == text.replace("1e3]", '1e3],"d": "é"')


def test_a_new_property_is_indented_like_the_others() -> None:
    """It goes to the end, on a line of its own where the others have one."""
    assert json_text.replaced('{\n  "a": 1\n}\n', ["links"], "x") == '{\n  "a": 1,\n  "links": "x"\n}\n'
    assert json_text.replaced("{ }", ["links"], "x") == '{"links": "x"}'


def test_of_a_property_given_twice_the_last_is_changed() -> None:
    """The last one is the one that the connector reads."""
    assert json_text.replaced('{"a": 1, "a": 2}', ["a"], 3) == '{"a": 1, "a": 3}'


@pytest.mark.parametrize("change", [json_text.removed, lambda text, path: json_text.replaced(text, path, 1)])
def test_a_way_that_does_not_exist_is_an_error(change: Any) -> None:
    """Nothing is invented on the way."""
    with pytest.raises(KeyError):
        change('{"a": {}}', ["b", "c"])


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
def test_a_cell_of_a_list_is_changed(
    rows: list[dict[str, str]], data: st.DataObject, delimiter: str, ending: str, blank: str
) -> None:
    """The row has the new password; every other line is what it was."""
    number = data.draw(st.integers(0, len(rows) - 1))
    password = data.draw(CELLS.filter(bool))
    text = _csv(rows, delimiter, ending, blank)
    changed = csv_text.replaced(text, number, "password", password)
    assert read_entries(changed)[number]["password"] == password
    assert [one for place, one in enumerate(read_entries(changed)) if place != number] == [
        one for place, one in enumerate(read_entries(text)) if place != number
    ]
    assert len(csv_text.removed(text, number).splitlines()) == len(text.splitlines()) - 1


def test_a_list_that_begins_with_a_mark_is_changed() -> None:
    """Spreadsheets begin a file with a byte order mark; it stays."""
    text = "\ufeffkey;password;note\na;old;x\n"
    assert csv_text.replaced(text, 0, "password", "new") == "\ufeffkey;password;note\na;new;x\n"


def test_a_list_without_the_column_is_an_error() -> None:
    """A column is not invented."""
    with pytest.raises(KeyError):
        csv_text.replaced("key,username\na,b\n", 0, "password", "new")


LOGIN = '{"connection": {"method": "login", "username": "ann", "password": "old"}, "start_date": "2023-01-01"}'


def fleet(listed: str) -> str:
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
        (fleet("key,password\na,old\nb,old\n"), 1, [{"key": "a", "password": "old"}, {"key": "b", "password": "né,w"}]),
    ],
)
def test_a_password_is_put_where_its_login_stands(text: str, number: int, expected: list[Any]) -> None:
    """In the form, in a pasted JSON list, in a pasted CSV list."""
    changed = ConfigText(text).with_password(number, "né,w")
    assert changed.entries == expected
    assert changed.raw["start_date"] == "2023-01-01"


@pytest.mark.parametrize(
    ("listed", "expected"),
    [('[{"key": "a"}, {"key": "b"}]', [{"key": "b"}]), ("key,password\na,x\nb,y\n", [{"key": "b", "password": "y"}])],
)
def test_an_entry_is_taken_out_of_a_list(listed: str, expected: list[Any]) -> None:
    """The others stay."""
    assert ConfigText(fleet(listed)).without_entry(0).entries == expected


@pytest.mark.parametrize("text", [LOGIN, fleet('[{"key": "a"}]')])
def test_the_last_login_takes_the_connection_with_it(text: str) -> None:
    """No username and no password stays behind, and a sync says that there is no login."""
    assert ConfigText(text).without_entry(0).raw == {"start_date": "2023-01-01"}


def test_a_list_without_a_column_for_passwords_says_so() -> None:
    """The sentence names what is missing."""
    with pytest.raises(AirbyteTracedException, match="column 'password'"):
        ConfigText(fleet("key,username\na,b\n")).with_password(0, "new")


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_a_file_that_is_no_object_is_refused(text: str) -> None:
    """What the connector could not read is not touched."""
    with pytest.raises(AirbyteTracedException, match="one JSON object"):
        ConfigText(text)


@pytest.mark.parametrize("raw", [{}, {"connection": 1}, {"connection": {"method": "fleet", "connections": "{"}}])
def test_a_broken_configuration_has_no_entries(raw: dict[str, Any]) -> None:
    """Its mistake is told by the parser, not here."""
    assert ConfigText(json.dumps(raw)).entries == []


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
    """Whatever its mode was, nobody else may read tokens; nothing else is left in the folder."""
    path = tmp_path / "config.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    ConfigFile(path).write("né\r\n")
    assert path.read_bytes() == "né\r\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["config.json"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    """The file that it leads to is replaced."""
    path, link = tmp_path / "real.json", tmp_path / "link.json"
    path.write_text("old", encoding="utf-8")
    link.symlink_to(path)
    ConfigFile(link).write("new")
    assert (link.is_symlink(), path.read_text(encoding="utf-8")) == (True, "new")


def test_another_file_is_written_and_the_first_stays(tmp_path: Path) -> None:
    """With a target the source is not touched."""
    source, target = tmp_path / "config.json", tmp_path / "linked.json"
    source.write_text("old", encoding="utf-8")
    ConfigFile(source, target).write("new")
    assert (source.read_text(encoding="utf-8"), target.read_text(encoding="utf-8")) == ("old", "new")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The sentence names the file, the system's reason and what to do."""
    path = tmp_path / "missing" / "config.json"
    with pytest.raises(FileProblem) as told:
        ConfigFile(path).write("new")
    assert str(told.value) == (
        f"Cannot write {path}: {os.strerror(errno.ENOENT)}. Make its folder writable, or use --output."
    )


def test_a_target_that_cannot_be_replaced_leaves_no_rest(tmp_path: Path) -> None:
    """When the last step fails, the half-way file is taken away again."""
    (tmp_path / "config.json").mkdir()
    with pytest.raises(FileProblem):
        ConfigFile(tmp_path / "config.json").write("new")
    assert [one.name for one in tmp_path.iterdir()] == ["config.json"]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Missing, or not text."""
    with pytest.raises(FileProblem, match="Cannot read"):
        ConfigFile(tmp_path / "none.json").read()
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(FileProblem, match="not written in UTF-8"):
        ConfigFile(tmp_path / "bytes.json").read()
