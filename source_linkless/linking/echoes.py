"""A login's own secrets, should the provider say them back: they stay out of rows, messages and documents.

In words and identifiers: every secret of the login. In documents: what no bill holds by chance, which is the client
secret and the tokens anywhere, and a password where it is the whole of a value. Short ones and bare numbers stay there:
they cannot be told from data, and a masked account number would be another account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from source_linkless.linking.events import Delivered, Finished
from source_linkless.linking.running import Opening, Run
from source_linkless.provider import Body, Context
from source_linkless.provider.outcomes import ERROR_CODES, LINK_STATUSES, REASONS, Outcome

Told = TypeVar("Told", Outcome, Context)

MASK = b"****"
_SHORTEST_IN_TEXT, _SHORTEST_IN_DOCUMENT = 4, 8
_CREDENTIAL = re.compile("pass|pwd|secret|token|pin|code|answer", re.IGNORECASE)
"""Names of login fields that are no account or customer number, which every bill repeats."""


def delivered(run: Run, opening: Opening, body: Body) -> Delivered:
    """Hand over a document without echoes; one that has none, as good as every one, is not copied."""
    is_escaped = body.find(b"\\u") >= 0
    for secret in _of_machines(run, opening):
        body = _masked(body, secret, is_escaped, quote=b"")
    for secret in _typed(opening):
        body = _masked(body, secret, is_escaped, quote=b'"')
    return Delivered(opening.login, _hidden(_secrets(run, opening), opening.connection_id), body)


def _masked(body: Body, secret: str, is_escaped: bool, quote: bytes) -> Body:  # noqa: FBT001 - a fact about the body
    r"""Return a document with a secret masked in every way in which JSON may spell it.

    A search for a plain text is many times as fast, so a document without any `\u` is searched for those alone.
    """
    if not is_escaped:
        for form in (quote + form + quote for form in _plain_forms(secret)):
            body = bytes(body).replace(form, quote + MASK + quote) if body.find(form) >= 0 else body
        return body
    spelled = re.compile(quote + b"".join(map(_spellings, secret)) + quote)
    return spelled.sub(quote + MASK + quote, bytes(body)) if spelled.search(body) else body


def finished(run: Run, opening: Opening, result: Outcome, waited: float) -> Finished:
    """Tell the end of a login without echoes; `waited` is in seconds."""
    secrets = _secrets(run, opening)
    connection_id = _hidden(secrets, opening.connection_id)
    context = None if opening.context is None else _without(secrets, opening.context, _OF_CONTEXT)
    return Finished(opening.login, _without(secrets, result, _OF_OUTCOME), connection_id, context, waited)


def without_echoes(run: Run, opening: Opening, result: Outcome) -> Outcome:
    """Return an outcome whose word and identifiers repeat no secret; its advice is ours."""
    return _without(_secrets(run, opening), result, _OF_OUTCOME)


def without_echoes_in(run: Run, opening: Opening, context: Context | None) -> Context | None:
    """Return the health of a connection whose texts repeat no secret."""
    return None if context is None else _without(_secrets(run, opening), context, _OF_CONTEXT)


_OF_OUTCOME = "reason", "detail"
_OF_CONTEXT = "connection_id", "source_id", "source_name", "reason"


def _without(secrets: list[str], told: Told, names: Iterable[str]) -> Told:
    """Return what was told with the texts of these names hidden; itself, as good as always, if none has to be."""
    texts = [(name, text) for name in names if (text := getattr(told, name))]
    changed: dict[str, Any] = {name: hidden for name, text in texts if (hidden := _hidden(secrets, text)) != text}
    return replace(told, **changed) if changed else told


def _secrets(run: Run, opening: Opening) -> list[str]:
    """Return the secrets of a login, the longest first: one that is part of another would leave its rest."""
    typed = [opening.login.password or "", *(opening.login.fields or {}).values()]
    found = {secret for secret in (*_of_machines(run, opening), *typed) if len(secret) >= _SHORTEST_IN_TEXT}
    return sorted(found, key=len, reverse=True)


def _hidden(secrets: list[str], text: str | None) -> str | None:
    found = [secret for secret in secrets if secret in text] if text else []
    if not text or not found or any(text in known for known in (ERROR_CODES, LINK_STATUSES, REASONS)):
        return text
    for secret in found:
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


_SHORT = {'"': b'"', "\\": b"\\\\", "/": b"/", "\b": b"b", "\f": b"f", "\n": b"n", "\r": b"r", "\t": b"t"}
"""The characters that JSON may write with a backslash and one letter (RFC 8259, section 7), as patterns."""


def _plain_forms(secret: str) -> set[bytes]:
    r"""Return the ways in which JSON may write a text without any `\u`."""
    escaped = json.dumps(secret, ensure_ascii=False)[1:-1].encode(errors="surrogatepass")
    return {escaped, escaped.replace(b"/", b"\\/")}


def _spellings(character: str) -> bytes:
    r"""Return a pattern for all ways in which JSON may write a character: as it is, `\n`, `\u000a`, `\u000A`."""
    units = character.encode("utf-16-be", errors="surrogatepass").hex()
    ways = [b"".join(rb"\\u(?i:%b)" % units[at : at + 4].encode() for at in range(0, len(units), 4))]
    if character not in '"\\':
        ways.append(re.escape(character.encode(errors="surrogatepass")))
    if character in _SHORT:
        ways.append(rb"\\" + _SHORT[character])
    return b"(?:%b)" % b"|".join(ways)
