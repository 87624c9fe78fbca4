"""The one fork server of a test run: processes forked from one that has imported the connector and the command.

Each module whose functions run in such a process is listed here. A process of any other module would import it
first, which takes longer than most runs.
"""

from __future__ import annotations

import multiprocessing

PRELOADED = ["testing.forked_connector", "testing.forked_command", "testing.peak_memory"]
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(PRELOADED)
