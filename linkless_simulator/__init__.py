"""A simulator of the provider's legacy API for tests, demos and benchmarks. README.md lists its limits."""

from linkless_simulator.server import Simulator

__all__ = ["Simulator"]
