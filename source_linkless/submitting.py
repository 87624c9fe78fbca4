"""The form in which a login is submitted: that of the provider's guide, or the other published one."""

from __future__ import annotations

from typing import Any

from source_linkless.errors import Problem
from source_linkless.outcomes import VALIDATION_FAILED
from source_linkless.running import Opening, Run, at_allowed_rate, patiently


async def connect(run: Run, opening: Opening, link_token: str) -> str | None:
    """Submit the login in the form of the guide; in the other published form if the provider does not take that.

    Returns the public token, or None in update mode. A form that is refused as invalid has reached no utility, so
    the second form is no second submission.
    """
    login, source_id = opening.login, opening.login.source_id or ""
    if login.fields is not None:
        named = list(login.fields.items())
        return await at_allowed_rate(run, opening, lambda: run.api.connect(link_token, source_id, _fields(named)))
    flat = {"username": login.username, "password": login.password}
    try:
        return await at_allowed_rate(run, opening, lambda: run.api.connect(link_token, source_id, flat))
    except Problem as problem:
        named = await _named_fields(run, opening, link_token) if problem.word == VALIDATION_FAILED else []
        if not named:
            raise
    return await at_allowed_rate(run, opening, lambda: run.api.connect(link_token, source_id, _fields(named)))


def _fields(named: list[tuple[str, str]]) -> dict[str, Any]:
    return {"fields": [{"field_name": name, "field_value": value} for name, value in named]}


async def _named_fields(run: Run, opening: Opening, link_token: str) -> list[tuple[str, str]]:
    """Name username and password as this utility's form does: its first Text and its first Password field."""
    login = opening.login
    sources = await patiently(run, opening, lambda: run.api.find_sources(link_token, login.source_id or ""))
    fields = [entry for source in sources[:1] for entry in source.get("fields") or [] if isinstance(entry, dict)]
    names = {str(entry.get("field_type")): entry.get("field_name") for entry in reversed(fields)}
    named = [(names.get("Text"), login.username), (names.get("Password"), login.password)]
    return [(name, value) for name, value in named if name and value] if all(name for name, _ in named) else []
