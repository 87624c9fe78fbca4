"""Airbyte's standard suite for sources, run against the simulator.

acceptance-test-config.yml names the configurations. They hold all but the provider's address, which is known
only when the simulator runs: the connector under test fills it in as it reads its configuration. The suite's
warnings about a catalog are errors here, as every warning is (pyproject.toml).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.test.models import ConnectorTestScenario
from airbyte_cdk.test.standard_tests import SourceTestSuiteBase

from linkless_simulator import Simulator
from source_linkless import SourceLinkless

pytest_plugins = ["airbyte_cdk.test.standard_tests.pytest_hooks"]

ROOT = Path(__file__).parent.parent


class SimulatedSource(SourceLinkless):
    """The connector, whose configurations lead to the running simulator."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self._simulator = simulator

    def spec(self, logger: logging.Logger) -> ConnectorSpecification:
        """Return the connector's form, which the CDK looks for beside the module of the class."""
        return SourceLinkless().spec(logger)

    def read_config(self, config_path: str) -> dict[str, Any]:  # type: ignore[override]  # the CDK's is static
        """Return the configuration of a file, led to the simulator."""
        return {**super().read_config(config_path), "api_url": self._simulator.url}


class TestAirbyteStandards(SourceTestSuiteBase):
    """The tests are inherited: spec, check, discover, and reads of every stream, every record validated."""

    connector_name = "source-linkless"
    simulator: Simulator

    @pytest.fixture(autouse=True)
    def _simulated(self, simulator: Simulator) -> None:
        type(self).simulator = simulator

    @classmethod
    def get_connector_root_dir(cls) -> Path:
        """Return the root of this repository, whatever its folder is called."""
        return ROOT

    @classmethod
    def create_connector(cls, scenario: ConnectorTestScenario | None) -> SimulatedSource:
        """Return a connector that talks to the simulator, whatever the scenario."""
        del scenario
        return SimulatedSource(cls.simulator)
