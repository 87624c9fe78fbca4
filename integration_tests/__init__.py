"""Tests through the platform's door: whole commands of the connector against the simulator."""
