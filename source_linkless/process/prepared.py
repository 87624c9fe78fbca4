"""The messages that are the same for everybody: the form, and the catalog of streams.

They lie in `messages/` as lines of the protocol, so that answering needs no CDK, whose import costs a hundred times
the answer. `test_prepared.py` holds them equal to what the CDK makes of spec.yaml and of the streams.
"""

import os


def prepared_message(arguments: list[str]) -> str | None:
    """Return the line that answers a command; None where the CDK must answer, who knows all flags and errors.

    `arguments` are those of the process. Only the plain forms that runners use are answered here: `spec`, and
    `discover` with a configuration that the CDK would take.
    """
    if os.environ.get("LOG_LEVEL", "").lower() == "debug":  # the CDK's: it says more than the answer then
        return None
    match arguments:
        case ["spec"]:
            return _message("spec")
        case ["discover", "--config", path] if _is_config(path):
            return _message("catalog")
    return None


def _message(name: str) -> str:
    with open(f"{os.path.dirname(__file__)}/../messages/{name}.json", encoding="utf-8") as file:  # noqa: PTH120, PTH123 - pathlib costs more than the whole answer
        return file.read()


def _is_config(path: str) -> bool:
    """Tell whether the CDK would take the file; one that can be read only once (a pipe) is left to it."""
    import json  # noqa: PLC0415 - `spec` does without

    if path.startswith("-") or not os.path.isfile(path):  # noqa: PTH113 - as above
        return False
    try:
        with open(path) as file:  # noqa: PTH123 - as above; in the encoding of the machine, as the CDK
            return isinstance(json.load(file), dict)
    except (OSError, ValueError, RecursionError):
        return False
