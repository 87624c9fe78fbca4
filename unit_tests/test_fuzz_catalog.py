"""Invented catalogs through the connector's own door: read and synced, or refused in one sentence."""

from __future__ import annotations

import json
from tempfile import NamedTemporaryFile
from typing import Any

from airbyte_cdk.models import ConfiguredAirbyteCatalog
from hypothesis import example, given
from hypothesis import strategies as st

from source_linkless import SourceLinkless
from source_linkless.streams import STREAMS
from testing.connector import catalog_json
from testing.fuzzing import examples, result_or_refusal, sentence_of
from testing.strange_json import anything, damaged, damaged_text
from testing.worlds import Sync, World

CATALOG = catalog_json()
GENERATIONS = catalog_json(generation_id=2, minimum_generation_id=2)
_strange = anything | st.sampled_from([-1, 0, 1.5, 2**70, "", "full_refresh", "overwrite", ["a", ["b"]], *STREAMS])


def read_or_refused(text: str) -> ConfiguredAirbyteCatalog | None:
    """Read the catalog in a file; None when it is refused, in one line that names the file."""
    with NamedTemporaryFile("w", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        catalog, refusal = result_or_refusal(lambda: SourceLinkless.read_catalog(file.name))
        if refusal is not None:
            assert sentence_of(refusal).startswith(f"The catalog file {file.name} ")
            assert "\n" not in sentence_of(refusal)
        return catalog


def synced(catalog: ConfiguredAirbyteCatalog) -> Sync | None:
    """Sync a login into a catalog; None when it is refused in one line."""
    world = World()
    login = {"method": "access_token", "access_token": world.backend.link("instant"), "key": "site"}
    sync, refusal = result_or_refusal(lambda: world.read(world.config(connection=login), catalog=catalog))
    assert refusal is None or "\n" not in sentence_of(refusal)
    return sync


@examples(30)
@given(damaged(st.sampled_from([CATALOG, GENERATIONS]), _strange))
@example({"streams": []})
@example({"streams": [CATALOG["streams"][0]] * 2})
def test_a_damaged_catalog_is_synced_or_refused(value: Any) -> None:
    """What can be read as a catalog is synced: each stream that is known begins and ends, whatever stands beside it."""
    catalog = read_or_refused(json.dumps(value))
    sync = catalog and synced(catalog)
    if catalog and sync:
        assert sync.error is None
        for name in {one.stream.name for one in catalog.streams} & STREAMS.keys():
            assert sync.statuses(name)[-1] == "COMPLETE"


@examples(30)
@given(anything.map(json.dumps) | damaged_text(st.just(json.dumps(CATALOG))))
@example("")
@example('{"streams": null}')
def test_a_file_of_a_catalog_is_read_or_refused(text: str) -> None:
    """Whatever a runner passes as `--catalog`, it is a catalog or one sentence that says what belongs there."""
    read_or_refused(text)
