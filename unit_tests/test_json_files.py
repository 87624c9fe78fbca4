"""JSON files are read in one way: UTF-8, any byte order mark skipped, and one sentence for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.json_files import FileProblem, parse, read_object
from testing.fuzzing import examples

SECRET = "pass-of-nobody"


def problem_of(path: Path) -> str:
    """Return the sentence about a file that is read as a configuration."""
    with pytest.raises(FileProblem) as told:
        read_object(path, "configuration")
    return str(told.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_a_file_is_read_as_utf_8(tmp_path: Path, mark: bytes) -> None:
    """Whatever the locale, and with the mark that Windows editors put at the beginning."""
    path = tmp_path / "config.json"
    path.write_bytes(mark + '{"password": "pässwörd-密码"}'.encode())
    assert read_object(path, "configuration") == {"password": "pässwörd-密码"}


NUMBER = "it holds a number that is too large, NaN or Infinity."
MISTAKES = {
    "comma": (b'{"a": 1,\n}', "is not valid JSON (line 1, column 8): remove the comma before the closing bracket."),
    "comma in array": (b'{"a": [1, ]}', "is not valid JSON (line 1, column 9): remove the comma before the closing"),
    "yaml": (b"environment: live\n", "is not valid JSON (line 1, column 1): it must begin with { or [; YAML and other"),
    "cut off": (b'{"a": ', "is not valid JSON (line 1, column 7): it ends too early, is a bracket or quote missing."),
    "bare name": (b"{a: 1}", "is not valid JSON (line 1, column 2): expecting property name enclosed in double"),
    "empty": (b"", "is empty."),
    "blank": (b" \n\t", "is empty."),
    "array": (b"[]", "must hold a JSON object, in braces, but it holds an array."),
    "text": (b'"text"', "must hold a JSON object, in braces, but it holds a text."),
    "number": (b"5", "must hold a JSON object, in braces, but it holds a number."),
    "null": (b"null", "must hold a JSON object, in braces, but it holds null."),
    "latin-1": (b'{"a":\n "Andr\xe9"}', "is not written in UTF-8 (line 2, byte 7): save it as UTF-8."),
    "utf-16": ('{"a": 1}'.encode("utf-16"), "is not written in UTF-8 (line 1, byte 1): save it as UTF-8."),
    "too deep": (b'{"a":' * 100_000, "is not valid JSON: it is nested too deeply."),
    "not a number": (b'{"a": NaN}', f"is not valid JSON: {NUMBER}"),
    "too large": (b'{"a": 1e999}', f"is not valid JSON: {NUMBER}"),
    "too many digits": (b'{"a": ' + b"9" * 5_000 + b"}", f"is not valid JSON: {NUMBER}"),
}
"""What a file holds, and how the sentence about it goes on after the name of the file."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_with_file_and_place(tmp_path: Path, name: str) -> None:
    """Line and column are those that an editor shows."""
    content, sentence = MISTAKES[name]
    path = tmp_path / "config.json"
    path.write_bytes(content)
    assert problem_of(path).startswith(f"The configuration file {path} {sentence}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder, and a path that no system takes."""
    assert problem_of(tmp_path / "none.json").endswith("none.json does not exist.")
    assert problem_of(tmp_path).endswith("is a folder: give the path of a file.")
    assert problem_of(tmp_path / "a\0b").endswith("does not exist.")
    assert problem_of(tmp_path / ("x" * 300)).endswith("cannot be read: File name too long.")


@examples(200)
@given(cut=st.integers(0, 60), noise=st.text(max_size=5))
def test_no_sentence_quotes_the_file(cut: int, noise: str) -> None:
    """A configuration holds secrets, so a broken one is not repeated."""
    text = f'{{"connection": {{"password": "{SECRET}", "key": "hq"}}}}'
    sentence = ""
    try:
        parse(text[:cut] + noise + text[cut:], "config.json", "configuration")
    except FileProblem as problem:
        sentence = str(problem)
    assert SECRET not in sentence
    assert "\n" not in sentence
