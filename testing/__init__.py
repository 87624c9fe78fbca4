"""What unit tests, integration tests and benchmarks share. Imports none of them."""
