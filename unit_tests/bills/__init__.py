"""Tests of `bills`."""
