"""The wing `bills`."""
