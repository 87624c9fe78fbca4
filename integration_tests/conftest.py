"""What integration tests share: the running simulator, and the standard suite without what does not apply."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from airbyte_cdk.test.models import ConnectorTestScenario
from airbyte_cdk.test.models.scenario import ScenarioCommand

from linkless_simulator import Simulator

_RUNS: dict[str, ScenarioCommand] = {
    "test_check": "check",
    "test_config_matches_spec": "spec",
    "test_discover": "discover",
    "test_basic_read": "read",
    "test_fail_read_with_bad_catalog": "read",
}
"""The command that a test of the standard suite is about."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """Run the simulator on a free port for one file of tests."""
    with Simulator() as running:
        yield running


def _applies(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function) or item.originalname not in _RUNS:
        return True
    scenario = item.callspec.params.get("scenario") if hasattr(item, "callspec") else None
    return not isinstance(scenario, ConnectorTestScenario) or scenario.runs(_RUNS[item.originalname])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the pairs of test and configuration that the standard suite would only skip."""
    left_out = [item for item in items if not _applies(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
