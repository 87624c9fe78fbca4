"""Answers that are the same for everybody: the form (`spec`) and the catalog of streams (`discover`).

They lie in `messages/` as lines of the protocol, so that answering needs no CDK, whose import takes a hundred times as
long as the answer. `scripts/generate` makes them from spec.yaml and the streams; a test compares them.
"""

import os


def prepared_message(arguments: list[str]) -> bytes | None:
    """Return the line that answers a command, or None where the CDK must answer.

    `arguments` are those of the process. Only the forms that runners use are answered here: `spec`, and `discover`
    with a configuration that can be read.
    """
    if os.environ.get("LOG_LEVEL", "").lower() == "debug":  # the CDK says more than the answer then
        return None
    match arguments:
        case ["spec"]:
            return _message("spec")
        case ["discover", "--config", path] if _is_config(path):
            return _message("catalog")
    return None


def _message(name: str) -> bytes:
    with open(f"{os.path.dirname(__file__)}/../messages/{name}.json", "rb") as file:  # noqa: PTH120, PTH123 - pathlib costs more than the whole answer
        return file.read()


def _is_config(path: str) -> bool:
    """Tell whether a file holds a configuration; one that can be read only once (a pipe) is left to the CDK."""
    from source_linkless import json_files  # noqa: PLC0415 - `spec` does without

    if path.startswith("-") or not os.path.isfile(path):  # noqa: PTH113 - as above
        return False
    try:
        json_files.read_object(path, "configuration")
    except json_files.FileProblem:
        return False
    return True
