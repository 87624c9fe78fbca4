"""The provider's API: one method per endpoint, one request per call, and what each answer means.

    Api.method() ──► rate limit ──► HttpTransport ──► requests ──► provider
                                         │
    what was asked for ◄── api ◄── status, headers, Body (bytes, or a mapped file when large)
    Problem            ◄── outcomes: reason code ──► Meaning(advice, status, actor, failure, then)

- `transport`: one HTTP exchange, limited in time and size; large bodies are on disk.
- `api`: what is asked at each endpoint, and how its answer is read.
- `outcomes`: the table of what every code and status means for a login.
"""

from source_linkless.provider import outcomes
from source_linkless.provider.api import Account, Api, Connection, Context, StatementFile
from source_linkless.provider.transport import Body, HttpTransport

__all__ = ["Account", "Api", "Body", "Connection", "Context", "HttpTransport", "StatementFile", "outcomes"]
