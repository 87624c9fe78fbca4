"""Console entry `source-linkless`: answers that are known beforehand at once, everything else through the CDK.

    arguments ─► `spec` and `discover` from `messages/`, without the CDK, in 25 ms ─► one line
        └──────► process: check, read, and everything unusual ─► messages ─► exit code

`messages/` holds the form and the catalog of streams as lines of the protocol. `scripts/generate` makes them from
spec.yaml and the streams; a test compares them. Here and in the package's `__init__` nothing is imported that such an
answer can do without: `typing` alone nearly doubles what Python needs to start. `unit_tests/process/test_startup.py`
counts the modules.
"""

import os
import sys


def run() -> None:
    """Run the connector with the arguments of the process; ends with the exit code that Airbyte expects."""
    arguments = sys.argv[1:]
    message = prepared_message(arguments)
    if message is None:
        from source_linkless.process import ending  # noqa: PLC0415 - see the module's docstring

        ending.end_early()  # a signal must find its handler before a second of imports
        import gc  # noqa: PLC0415 - see above

        gc.disable()  # modules stay until the end; looking through them for garbage is a seventh of their import
        from source_linkless.process import launch  # noqa: PLC0415 - see above

        gc.freeze()
        gc.enable()
        launch.launch(arguments)
        return
    try:
        # The bytes as they are, whatever the encoding of the locale; there is no stdout after `>&-`.
        while message:
            message = message[os.write(1, message) :]
    except OSError as error:
        from source_linkless.process import ending  # noqa: PLC0415 - see the module's docstring

        ending.end_unwritten(error)


def prepared_message(arguments: list[str]) -> bytes | None:
    """Return the line that answers a command, or None where the CDK must answer.

    `arguments` are those of the process. Only the forms that runners use are answered here: `spec`, and `discover`
    with a configuration that can be read.
    """
    match arguments:
        case ["spec"]:
            name = "spec"
        case ["discover", "--config", path] if _is_config(path):
            name = "catalog"
        case _:
            return None
    if os.environ.get("LOG_LEVEL", "").lower() == "debug":  # the CDK says more than the answer then
        return None
    with open(f"{os.path.dirname(__file__)}/messages/{name}.json", "rb") as file:  # noqa: PTH120, PTH123 - pathlib costs more than the whole answer
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
