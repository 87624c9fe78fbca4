"""Console entry `source-linkless`: what is known beforehand is said at once, everything else is launched.

Here, in `prepared` and in the package's `__init__` nothing is imported that a prepared message can do without:
`typing` alone nearly doubles what Python needs to start. `unit_tests/process/test_startup.py` counts the modules.
"""

import sys

from source_linkless.process import prepared


def run() -> None:
    """Run the connector with the arguments of the process; ends with the exit code that Airbyte expects."""
    arguments = sys.argv[1:]
    message = prepared.prepared_message(arguments)
    if message is None:
        _launch(arguments)
    else:
        _say(message)


def _say(message: str) -> None:
    try:
        print(message, end="", flush=True)  # noqa: T201 - the output is the product
    except OSError as error:
        from source_linkless.process import ending  # noqa: PLC0415 - see the module's docstring

        ending.end_unwritten(error)


def _launch(arguments: list[str]) -> None:
    from source_linkless.process import ending  # noqa: PLC0415 - see the module's docstring

    ending.end_on_sigterm()
    ending.end_without_output()
    # from here on: SIGTERM must find its handler before a second of imports
    from source_linkless.process import launch  # noqa: PLC0415 - see above

    launch.launch(arguments)
