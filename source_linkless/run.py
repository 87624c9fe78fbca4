"""Console entry `source-linkless`: answers that are known beforehand at once, everything else through the CDK.

Here, in `process.prepared` and in the package's `__init__` nothing is imported that a prepared answer can do without:
`typing` alone nearly doubles what Python needs to start. `unit_tests/process/test_startup.py` counts the modules.
"""

import os
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


def _say(message: bytes) -> None:
    try:
        # The bytes as they are, whatever the encoding of the locale; there is no stdout after `>&-`.
        while message:
            message = message[os.write(1, message) :]
    except OSError as error:
        from source_linkless.process import ending  # noqa: PLC0415 - see the module's docstring

        ending.end_unwritten(error)


def _launch(arguments: list[str]) -> None:
    from source_linkless.process import ending  # noqa: PLC0415 - see the module's docstring

    ending.end_on_signals()
    ending.end_without_output()
    # from here on: a signal must find its handler before a second of imports
    import gc  # noqa: PLC0415 - see above

    gc.disable()  # modules stay until the end; looking through them for garbage is a seventh of the time that they take
    from source_linkless.process import launch  # noqa: PLC0415 - see above

    gc.freeze()
    gc.enable()
    launch.launch(arguments)
