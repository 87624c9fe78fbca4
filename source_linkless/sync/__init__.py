"""Sync: the events of a run become the messages of Airbyte.

    Delivered ─► SyncMessages ─► StreamChanges: what changed since the state ─► records ─► Output
    Finished  ─►     │         └► report: the row of `connections`
                     └─► states, statuses ─► report: does the run succeed, and the one error that names every hole
    check:  Finished ─► report: SUCCEEDED or FAILED, in words

`changes`: incremental by changed content. `files`: the stream `statement_files`. `output`: as messages or as lines.
"""

from source_linkless.sync.output import Lines, Messages, Output, line_of, say
from source_linkless.sync.report import check_status
from source_linkless.sync.sync import SelectedStream, SyncMessages

__all__ = ["Lines", "Messages", "Output", "SelectedStream", "SyncMessages", "check_status", "line_of", "say"]
