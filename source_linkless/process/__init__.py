"""The connector as a process: how it runs a command through the CDK, and how it ends.

    ending   from here on SIGTERM and a closed output end the process
    launch   check, read, and everything unusual, through the CDK ─► messages ─► exit code

The names below are submodules. Import each when it is needed: `launch` imports the CDK, which takes two seconds.
"""

__all__ = ["ending", "launch"]
