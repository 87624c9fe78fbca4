"""An imitation of the provider's legacy API, for tests, demos and benchmarks; its limits: README.md."""

from linkless_simulator.server import Simulator

__all__ = ["Simulator"]
