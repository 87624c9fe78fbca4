"""The CDK's memory guard ends a sync before the container runs out of memory; it counts records as in the CDK."""

from __future__ import annotations

from pathlib import Path

import pytest
from airbyte_cdk.utils import memory_monitor
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.process.launch import LinklessEntrypoint

BLOCK = 500  # records


@pytest.fixture
def entrypoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LinklessEntrypoint:
    """Return the connector in a container whose memory is used up."""
    for name, text in {"CURRENT": "96", "MAX": "100", "STAT": "anon 95"}.items():
        (tmp_path / name).write_text(text, encoding="ascii")
        monkeypatch.setattr(memory_monitor, f"_CGROUP_V2_{name}", tmp_path / name)
    return LinklessEntrypoint()


def test_a_full_container_ends_the_sync_at_record_5000(entrypoint: LinklessEntrypoint) -> None:
    """Reading the files of the container for each record would cost more than the record."""
    for _ in range(9):
        entrypoint.watch_memory(BLOCK)
    with pytest.raises(AirbyteTracedException, match="exceeded critical threshold"):
        entrypoint.watch_memory(BLOCK)
