"""Airbyte source for utility bills behind portal logins.

The class is imported when it is asked for: the console entry must answer and catch signals before the CDK's two
seconds of imports. `typing`, too, would be imported for nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from source_linkless.source import SourceLinkless

__all__ = ["SourceLinkless"]


def __getattr__(name: str) -> object:
    if name == "SourceLinkless":
        from source_linkless.source import SourceLinkless  # noqa: PLC0415 - see the module's docstring

        return SourceLinkless
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
