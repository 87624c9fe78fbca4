"""The modules of `source_linkless.bills` in an environment of another framework, which has no Airbyte CDK."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

_BILLS = "source_linkless.bills"


def allow_bills_without_cdk() -> None:
    """Where the CDK is missing, put an empty package in the place of the face of `bills`, which imports the CDK.

    The modules that define keys, hashes and quantities need only orjson and the standard library.
    """
    if find_spec("airbyte_cdk") is None and _BILLS not in sys.modules:
        package = ModuleType(_BILLS)
        package.__path__ = [str(Path(__file__).parents[2].joinpath(*_BILLS.split(".")))]
        sys.modules[_BILLS] = package
