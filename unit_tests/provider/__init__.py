"""Tests of `provider`."""
