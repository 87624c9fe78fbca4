"""The provider's API: one method per endpoint, one request per call, and what each answer means.

    Api.method() ──► rate limit ──► HttpTransport ──► requests ──► provider
                                         │
    what was asked for ◄── api ◄── status, headers, Body (bytes, or a mapped file when large)
    Problem            ◄── outcomes: reason code ──► Meaning(advice, status, actor, failure, then)

`transport` limits an exchange in time and size. `api` reads what was asked for. `outcomes` classifies the rest.
"""

from source_linkless.provider import outcomes
from source_linkless.provider.api import Account, Api, Connection, Context, StatementFile
from source_linkless.provider.transport import Body, HttpTransport

__all__ = ["Account", "Api", "Body", "Connection", "Context", "HttpTransport", "StatementFile", "outcomes"]
