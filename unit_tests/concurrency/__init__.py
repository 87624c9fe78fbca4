"""Tests of `concurrency`."""
