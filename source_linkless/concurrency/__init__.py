"""The wing `concurrency`."""
