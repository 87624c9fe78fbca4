"""The effort of the tests with invented input: the only place that chooses the profile of hypothesis.

In CI each test has its own small number of examples, always the same ones: CI never fails by chance. `scripts/fuzz`
sets FUZZ_EXAMPLES, and every test then tries that many, drawn at random.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import HealthCheck, settings

T = TypeVar("T")

FUZZ_EXAMPLES = os.environ.get("FUZZ_EXAMPLES")

# How long an example takes says more about the machine than about the code.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("ci", _PATIENT, derandomize=True, database=None)
settings.register_profile("fuzz", _PATIENT, derandomize=False)
settings.load_profile("fuzz" if FUZZ_EXAMPLES else "ci")


def examples(in_ci: int) -> settings:
    """Return the decorator of a test that tries so many examples in CI."""
    return settings(max_examples=int(FUZZ_EXAMPLES or in_ci))


def result_or_refusal(command: Callable[[], T]) -> tuple[T | None, AirbyteTracedException | None]:
    """Return the result of a command, or the error with which it refuses its input; other errors pass through."""
    try:
        return command(), None
    except AirbyteTracedException as error:
        refusal = error
    assert refusal.failure_type is FailureType.config_error, repr(refusal)
    assert refusal.message is not None
    return None, refusal


def sentence_of(refusal: AirbyteTracedException) -> str:
    """Return the message of a refusal."""
    return str(refusal.message)
