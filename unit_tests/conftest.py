"""Every test with invented input tries as hard as `fuzzing` says, whichever module is collected first.

Such tests run the same lines many times, so they run without coverage, which doubles their time.
"""

from __future__ import annotations

import pytest

import testing.fuzzing  # noqa: F401 - imported for what it sets


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests with invented input out of the coverage."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item.obj, "hypothesis"):
            item.add_marker("no_cover")
