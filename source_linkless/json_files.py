"""JSON files of ours: the configuration, the catalog and the state. Every message about such a file is made here.

A file is UTF-8; a byte order mark is skipped. `spec` and `discover` read through this module too, so it imports nothing
that costs time at start.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    FilePath = str | os.PathLike[str]
    JsonObject = dict[str, Any]

_NAMES = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}


class FileProblem(Exception):  # noqa: N818 - a fact about a file, told to a person
    """A file cannot be read or written. Its text is one sentence that names the file and the place in it."""


def read_object(path: "FilePath", what: str) -> "JsonObject":
    """Return the JSON object in a file; `what` says what the file is, such as "configuration". Raises FileProblem."""
    return parse_object(read_text(path, what), path, what)


def parse_object(text: str, path: "FilePath", what: str) -> "JsonObject":
    """Return the JSON object in the text of a file. Raises FileProblem."""
    value = parse(text, path, what)
    if not isinstance(value, dict):
        found = _NAMES.get(type(value), "a number")
        raise FileProblem(f"The {what} file {path} must hold a JSON object, in braces, but it holds {found}.")
    return value


def read_text(path: "FilePath", what: str) -> str:
    """Return the text of a file, with a byte order mark if it has one. Raises FileProblem."""
    try:
        with open(path, "rb") as source:  # noqa: PTH123 - pathlib costs more than the whole answer of `spec`
            return source.read().decode("utf-8")
    except IsADirectoryError:
        problem = "is a folder: give the path of a file."
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        problem = f"is not written in UTF-8 (line {line}, byte {column}): save it as UTF-8."
    except (FileNotFoundError, ValueError):  # or a path with a NUL character
        problem = "does not exist."
    except OSError as error:
        problem = f"cannot be read: {error.strerror}."
    raise FileProblem(f"The {what} file {path} {problem}")


def parse(text: str, path: "FilePath", what: str) -> "Any":
    """Return the value of the JSON text of a file. Raises FileProblem with line and column of the first mistake."""
    import json  # noqa: PLC0415 - `spec` does without

    text = text.removeprefix("\ufeff")
    try:
        value = json.loads(text)
        json.dumps([[[[value]]]], allow_nan=False)  # what can be read must also fit into a message
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON {_mistake(text, error)}." if text.strip() else "is empty."
    except RecursionError:
        problem = "is not valid JSON: it is nested too deeply."
    except ValueError:
        problem = "is not valid JSON: it holds a number that is too large, NaN or Infinity."
    else:
        return value
    # Outside the handlers: the error of `json` carries the whole text.
    raise FileProblem(f"The {what} file {path} {problem}")


def _mistake(text: str, error: "Any") -> str:
    """Return place and kind of a mistake, without any part of the text: it may hold secrets."""
    place, what = error.pos, f"{error.msg[:1].lower()}{error.msg[1:]}"
    before, rest = text[:place].rstrip(), text[place:].lstrip(" \t\r\n,")
    if before.endswith(","):  # the version of Python decides whether the place is the comma or what follows it
        place = len(before) - 1
    if text[place : place + 1] == "," and rest[:1] in ("}", "]"):
        what = "remove the comma before the closing bracket"
    if text.lstrip()[:1] not in ("{", "["):
        what = "it must begin with { or [; YAML and other formats are not read"
    elif not rest:
        what = "it ends too early, is a bracket or quote missing"
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    return f"(line {line}, column {column}): {what}"
