"""The wing `process`."""
