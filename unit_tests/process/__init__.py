"""Tests of `process`."""
