"""The wing `config`."""
