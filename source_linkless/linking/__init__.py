"""The wing `linking`."""
