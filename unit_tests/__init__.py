"""Tests of one module each, without a process or a network."""
