"""A login's own secrets, should the provider say them back: they stay out of rows, messages and documents.

In words and identifiers: every secret of the login. In documents: what no bill holds by chance, which is the client
secret and the tokens anywhere, and a password where it is the whole of a value. Short ones and bare numbers stay there:
they cannot be told from data, and a masked account number would be another account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from source_linkless.api import Context
from source_linkless.bodies import Body
from source_linkless.events import Delivered, Finished
from source_linkless.outcomes import ERROR_CODES, LINK_STATUSES, REASONS, Outcome
from source_linkless.running import Opening, Run

MASK = b"****"
_SHORTEST_IN_TEXT, _SHORTEST_IN_DOCUMENT = 4, 8
_CREDENTIAL = re.compile("pass|pwd|secret|token|pin|code|answer", re.IGNORECASE)
"""Names of login fields that are no account or customer number, which every bill repeats."""


def delivered(run: Run, opening: Opening, body: Body) -> Delivered:
    """Hand over a document without echoes; one that has none, as good as every one, is not copied."""
    for secret in _of_machines(run, opening):
        for form in _in_json(secret):
            body = _masked(body, form, MASK)
    for secret in _typed(opening):
        for form in _in_json(secret):
            body = _masked(body, b'"%b"' % form, b'"%b"' % MASK)
    return Delivered(opening.login, _hidden(_secrets(run, opening), opening.connection_id), body)


def _masked(body: Body, form: bytes, mask: bytes) -> Body:
    return bytes(body).replace(form, mask) if body.find(form) >= 0 else body


def finished(run: Run, opening: Opening, result: Outcome, waited: float) -> Finished:
    """Tell the end of a login without echoes; `waited` is in seconds."""
    connection_id = _hidden(_secrets(run, opening), opening.connection_id)
    context = without_echoes_in(run, opening, opening.context)
    return Finished(opening.login, without_echoes(run, opening, result), connection_id, context, waited)


def without_echoes(run: Run, opening: Opening, result: Outcome) -> Outcome:
    """Return an outcome whose word and identifiers repeat no secret; its advice is ours."""
    secrets = _secrets(run, opening)
    return replace(result, reason=_hidden(secrets, result.reason), detail=_hidden(secrets, result.detail) or "")


def without_echoes_in(run: Run, opening: Opening, context: Context | None) -> Context | None:
    """Return the health of a connection whose texts repeat no secret."""
    if context is None:
        return None
    secrets = _secrets(run, opening)
    return replace(
        context,
        connection_id=_hidden(secrets, context.connection_id),
        source_id=_hidden(secrets, context.source_id),
        source_name=_hidden(secrets, context.source_name),
        reason=_hidden(secrets, context.reason),
    )


def _secrets(run: Run, opening: Opening) -> list[str]:
    """Return the secrets of a login, the longest first: one that is part of another would leave its rest."""
    typed = [opening.login.password or "", *(opening.login.fields or {}).values()]
    found = {secret for secret in (*_of_machines(run, opening), *typed) if len(secret) >= _SHORTEST_IN_TEXT}
    return sorted(found, key=len, reverse=True)


def _hidden(secrets: list[str], text: str | None) -> str | None:
    if not text or any(text in known for known in (ERROR_CODES, LINK_STATUSES, REASONS)):
        return text
    for secret in secrets:
        text = text.replace(secret, MASK.decode())
    return text


def _of_machines(run: Run, opening: Opening) -> Iterator[str]:
    yield run.config.secret
    yield from dict.fromkeys([*opening.tokens, *filter(None, [run.links.token(opening.login)])])


def _typed(opening: Opening) -> Iterator[str]:
    named = [("password", opening.login.password or ""), *(opening.login.fields or {}).items()]
    for name, secret in named:
        if _CREDENTIAL.search(name) and len(secret) >= _SHORTEST_IN_DOCUMENT and not secret.isdecimal():
            yield secret


def _in_json(secret: str) -> set[bytes]:
    """Return a text as a JSON document would write it."""
    forms = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {form.encode(errors="surrogatepass") for form in forms}
