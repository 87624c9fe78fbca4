"""How a process of ours uses Python: what is left undone while the CDK is imported, and how its threads take turns.

The first two are nearly half of what importing costs.

*Docstrings.* serpyco_rs, the CDK's serialiser, parses the source text of every model to find the descriptions of its
fields. They stand in the JSON schemas that it can make, which nobody asks for here, and in nothing that is read or
written. Where it finds no source text it goes on without descriptions; so it does with this, and
`test_startup.py` holds the messages equal. Should serpyco_rs get them in another way some day, nothing is
saved and nothing breaks.

*Garbage.* Modules, classes and functions live as long as the process. Python would look through all of them for
garbage again and again while more come, and, now and then, during the sync. A sync makes many objects but hardly any
in cycles: almost all are gone before the collector sees them, unless it comes after every 700 of them, as is usual.

*Turns.* The thread that makes rows is interrupted when another one has waited for the interpreter, usually for 5 ms.
Those that fetch come often, stay for microseconds, and have waited much longer for the provider: 20 ms more do not
matter to them, and interruptions are some percent of what a row costs.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator

_YOUNG_OBJECTS = 10_000
"""More than the bills of an account are made of."""
_TURN_SECONDS = 0.02


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """Import what the block imports with both left undone.

    What exists at its end is never looked at as garbage; what comes later is, each time there are many objects more.
    From then on threads interrupt each other less often.
    """
    _leave_docstrings_unread()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)
        gc.enable()
        sys.setswitchinterval(_TURN_SECONDS)


def _leave_docstrings_unread() -> None:
    """Import serpyco_rs with a reader of docstrings that finds none; everybody else's reader stays what it is."""
    with contextlib.suppress(ImportError, AttributeError):
        import attributes_doc  # noqa: PLC0415 - a dependency of the CDK's, which may do without it one day

        reader = attributes_doc.get_attributes_doc
        attributes_doc.get_attributes_doc = _no_docstrings
        try:
            import serpyco_rs  # noqa: F401, PLC0415 - takes the reader of this moment
        finally:
            attributes_doc.get_attributes_doc = reader


def _no_docstrings(cls: type) -> dict[str, str]:  # noqa: ARG001 - the reader's signature
    return {}
