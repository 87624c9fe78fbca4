"""Linking: a login becomes a connection, a connection a document, and one run does so for all logins at once.

    sync_all ─► each login:   handshake ─► status ─► product, polled with backoff ─► Delivered ─► Finished
    check_all ─► few logins:  handshake, or the status of a connection ─────────────────────────► Finished
    by_hand ─► `linkless`:    handshake, with the answers of a person ──────────────────────────► Finished
                                  └─► LinksChanged: written back before anything is submitted or waited for

`opening`: runs over all logins. `handshake`: linking one. `running`: one login in a run. `events`: what is told.
"""

from source_linkless.linking import by_hand, events
from source_linkless.linking.opening import check_all, sync_all
from source_linkless.linking.running import Run, Surroundings, of_surprise, opened

__all__ = ["Run", "Surroundings", "by_hand", "check_all", "events", "of_surprise", "opened", "sync_all"]
