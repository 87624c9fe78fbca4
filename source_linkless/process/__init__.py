"""The connector as a process: how it starts, what it answers at once, how it ends.

    arguments ─► prepared   `spec` and `discover` without the CDK, in 25 ms ─► one line
        └──────► ending     from here on SIGTERM and a closed output end the process
                 launch     check, read, and everything unusual, through the CDK ─► messages ─► exit code

The names below are submodules. Import each when it is needed: `launch` imports the CDK, which takes two seconds.
"""

__all__ = ["ending", "launch", "prepared"]
