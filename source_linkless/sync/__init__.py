"""The wing `sync`."""
