"""The configuration: what the user asked for, what is remembered of each login, and which texts are secret.

    raw configuration ─► parse_config ─► Config ──► Login, Login, …   (`logins` reads a pasted list: JSON or CSV)
            │                               │
            │                               └─► Links: the hidden property `links`, the memory from run to run
            │                                     └─► Step: use the token, link, update, or do not submit
            └─► masking: every secret in it, however broken it is

Nothing here uses the network or a file of the user. Every mistake is one sentence with the field and without its value.
"""

from source_linkless.config import logins, masking
from source_linkless.config.config import Config, Login, notices, parse_config
from source_linkless.config.links import Links, Step

__all__ = ["Config", "Links", "Login", "Step", "logins", "masking", "notices", "parse_config"]
