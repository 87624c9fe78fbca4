"""The wing `cli`."""
