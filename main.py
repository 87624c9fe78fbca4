"""Starts the connector the way Airbyte's tools expect it: `python main.py spec`."""

from source_linkless.run import run

if __name__ == "__main__":
    run()
