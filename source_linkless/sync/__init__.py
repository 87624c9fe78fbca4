"""Sync: the events of a run become the messages of Airbyte.

    Delivered ─► SyncMessages ─► StreamChanges: what changed since the state ─► records ─► Output
    Finished  ─►     │         └► health: the row of `connections`
                     └─► states, statuses ─► verdict: does the run succeed, and the one error that names every hole
    check:  Finished ─► CheckReport ─► SUCCEEDED or FAILED, in words

- `sync`: the messages of a read. `changes`: incremental by changed content. `health`: the row of a connection.
- `verdict`: how a run ends. `check_report`: the answer of a check. `output`: records as messages or as lines.
"""

from source_linkless.sync.check_report import CheckReport
from source_linkless.sync.output import Lines, Messages, Output, line_of, say
from source_linkless.sync.sync import SyncMessages, selected_streams

__all__ = ["CheckReport", "Lines", "Messages", "Output", "SyncMessages", "line_of", "say", "selected_streams"]
