"""The modules of `source_linkless.bills` in an environment of another framework, which has no Airbyte CDK."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

_BILLS = "source_linkless.bills"


def allow_bills_without_cdk() -> None:
    """Where the CDK is missing, put an empty package in the place of the face of `bills`, which imports the CDK.

    The modules that define keys, hashes and quantities need only orjson and the standard library.
    """
    if find_spec("airbyte_cdk") is None and _BILLS not in sys.modules:
        import source_linkless  # noqa: PLC0415 - only to find the folder

        spec = PathFinder.find_spec(_BILLS, source_linkless.__path__)
        assert spec is not None  # noqa: S101 - the package is in this repository
        sys.modules[_BILLS] = module_from_spec(spec)  # made, and not executed
