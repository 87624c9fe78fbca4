"""The wing `provider`."""
