"""The form in which a login is submitted: that of the provider's guide, or the other published one."""

from __future__ import annotations

from typing import Any

from source_linkless.errors import Problem, Then
from source_linkless.linking.running import Opening, Run, at_allowed_rate, patiently
from source_linkless.provider.outcomes import VALIDATION_FAILED


async def connect(run: Run, opening: Opening, link_token: str) -> str | None:
    """Submit the login in the form of the guide; in the other published form if the provider does not take that.

    Returns the public token, or None in update mode. A form that is refused as invalid has reached no utility, so
    the second form is no second submission.
    """
    login = opening.login
    if login.fields is not None:
        named = list(login.fields.items())
        return await _sent(run, opening, link_token, _fields(named))
    flat = {"username": login.username, "password": login.password}
    try:
        return await _sent(run, opening, link_token, flat)
    except Problem as problem:
        named = await _named_fields(run, opening, link_token) if problem.reason == VALIDATION_FAILED else []
        if not named:
            raise
    return await _sent(run, opening, link_token, _fields(named))


async def _sent(run: Run, opening: Opening, link_token: str, form: dict[str, Any]) -> str | None:
    """Submit one form, and keep in mind whether it may have reached the utility."""

    def sending() -> None:
        opening.is_out = True

    async def connect() -> str | None:
        try:
            return await run.api.connect(link_token, opening.login.source_id or "", form, sending=sending)
        except Problem as problem:
            opening.is_out = problem.reason != VALIDATION_FAILED and problem.meaning.then is not Then.SLOW_DOWN
            raise

    return await at_allowed_rate(run, opening, connect)


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
