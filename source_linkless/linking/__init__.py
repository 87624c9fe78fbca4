"""Linking: a login becomes a connection, a connection a document, and one run does so for all logins at once.

    sync_all ─► each login:   handshake ─► status ─► product, polled with backoff ─► Delivered ─► Finished
    check_all ─► few logins:  handshake, or the status of a connection ─────────────────────────► Finished
    by_hand ─► `linkless`:    handshake, with the answers of a person ──────────────────────────► Finished
                                  └─► LinksChanged: written back before anything is submitted or waited for

- `orchestration`: runs over all logins. `opening`: one login of a sync. `handshake`: linking one login.
- `running`: what logins share, and the boundary at which their exceptions end. `echoes`: secrets that answers repeat.
- `events`: what a run tells its consumer.
"""

from source_linkless.linking import by_hand, events
from source_linkless.linking.orchestration import Surroundings, check_all, opened, sync_all
from source_linkless.linking.running import of_surprise

__all__ = ["Surroundings", "by_hand", "check_all", "events", "of_surprise", "opened", "sync_all"]
