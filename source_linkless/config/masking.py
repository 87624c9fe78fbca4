"""Secrets: which texts of a raw configuration are secret, and how they are kept out of messages.

    configuration ─► fields whose content is secret ─► texts inside them (JSON, CSV) ─► their secret fields ─► register
                                                       └ unreadable: every word that could be a secret
    message ─► hidden ─► the same message with **** in place of every registered secret ─► JSON

Texts are masked before they become JSON. Masking a finished line could break it: a secret such as `1` or `"` is part of
the protocol's own text.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets

from source_linkless.config.logins import (
    FLEET_COLUMNS,
    UnreadableError,
    is_masked,
    looks_like_json,
    read_entries,
    read_json,
)

MASK = "****"
_SHORTEST_ANYWHERE = 8
"""Characters from which on a secret is masked anywhere; see `Register.hidden`."""
_WHOLE = r"(?<![\w.-])(?<!\d[,:/])%s(?![\w-])(?![.,:/]\d)(?!\.\w)"


def _read_object(text: str) -> Any:
    return read_json(text) if looks_like_json(text) else None


@dataclass(frozen=True, slots=True)
class _Kind:
    """What stands at a place of the configuration: the kinds of its properties, and what a text there is."""

    named: Mapping[str, _Kind] = field(default_factory=dict)
    others: _Kind | None = None
    """The kind of every other property; None: this same kind."""
    secret: bool = False
    """Whether a text or number that stands here is a secret."""
    read: Callable[[str], Any] | None = None
    """How a text that stands here is read, if something stands inside it."""
    content: _Kind | None = None
    """The kind of what stands inside a text; None: this same kind."""

    def of(self, name: object) -> _Kind:
        """Return the kind of a property."""
        return self.named.get(name, self.others or self) if isinstance(name, str) else self


_WORD = _Kind(secret=True)
_SECRET = _Kind(secret=True, read=_read_object, content=_WORD)
_OPEN = dict.fromkeys(("attempt", "key", "method", "source_id", "username"), _Kind())
# A property nobody knows may be a misspelt password.
_ENTRY = _Kind(_OPEN, others=_SECRET, secret=True, read=read_entries)
_LOGIN = _Kind({**_OPEN, "connections": _ENTRY}, others=_SECRET, secret=True, read=read_entries)
_LINKS = _Kind({"access_token": _SECRET, "salt": _SECRET})
_FORM = _Kind(
    {
        **dict.fromkeys(("secret", "pseudonym_key", "password", "access_token", "login_fields"), _SECRET),
        "connection": _LOGIN,
        "connections": _ENTRY,
        "links": _Kind(_LINKS.named, read=read_json, content=_LINKS),
    }
)

_SHORTEST_WORD = 4
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)', re.DOTALL)
_BARE = re.compile(r"""[^"',;:{}\[\]\t\r\n]+""")
_OUR_WORDS = {*FLEET_COLUMNS, "connections", "fleet", "identity", "login", "refused", "salt", "submitted"}


def secrets_in(raw: Any) -> list[str]:
    """Return every secret of a raw configuration, however broken, the longest first.

    The longest first, because masking one that is part of another would leave the rest of the other in clear.
    """
    found: dict[str, None] = {}
    pending: list[tuple[Any, _Kind]] = [(raw, _FORM)]
    while pending:  # no recursion: the nesting is the user's
        value, kind = pending.pop()
        if isinstance(value, Mapping):
            pending += [(child, kind.of(name)) for name, child in value.items()]
        elif isinstance(value, list | tuple):
            pending += [(child, kind) for child in value]
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            found.update(dict.fromkeys(_texts(value, kind)))
            pending += _inside(value, kind)
    secrets = (secret for secret in found if secret.strip() and not is_masked(secret))
    return sorted(secrets, key=len, reverse=True)


class Register:
    """The secrets of this process, each in every form in which a message could repeat it."""

    def __init__(self) -> None:
        """Start without any secret."""
        self._forms: dict[str, None] = {}
        self._longest_first: list[str] | None = None

    def add(self, secret: str) -> None:
        """Mask a secret from now on."""
        for form in _written_forms(secret):
            if form.strip() and not is_masked(form) and form not in self._forms:
                self._forms[form] = None
                self._longest_first = None
                if len(form) >= _SHORTEST_ANYWHERE:
                    add_to_secrets(form)  # for a runner that calls us in its own process and masks with the CDK

    def hidden(self, text: str) -> str:
        """Return a text with `****` in place of every secret.

        A secret of fewer than 8 characters cannot be told from other text. It is masked where it stands as a whole
        word, never inside a longer word, a name with hyphens, or a number.
        """
        if self._longest_first is None:
            # the longest first: masking a secret that is part of another would leave the rest of the other in clear
            self._longest_first = sorted(self._forms, key=len, reverse=True)
        for form in self._longest_first:
            if form in text:
                is_long = len(form) >= _SHORTEST_ANYWHERE
                text = text.replace(form, MASK) if is_long else re.sub(_WHOLE % re.escape(form), MASK, text)
        return text


_REGISTER = Register()
register = _REGISTER.add
"""Mask a secret in everything that this process says from now on."""
hidden = _REGISTER.hidden
"""Mask the registered secrets in a text that is about to be said. Texts only: never finished JSON."""


def silence_libraries() -> None:
    """Keep what other libraries log out of our output, at every level: they quote headers and bodies.

    The connector's own messages go through the logger `airbyte`, whose handler is not touched.
    """
    root = logging.getLogger()
    root.handlers[:] = [logging.NullHandler()]  # without any handler, Python would print warnings to standard error
    logging.raiseExceptions = False  # a record that cannot be formatted would be printed with its arguments


def _written_forms(secret: str) -> set[str]:
    """Return a secret as it is, and as JSON and Python would write it inside a text."""
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}


def _texts(value: str | float, kind: _Kind) -> tuple[str, ...]:
    """Return a secret as it stands and as it is used."""
    return (str(value), str(value).strip()) if kind.secret else ()


def _inside(value: str | float, kind: _Kind) -> list[tuple[Any, _Kind]]:
    """Return what a text holds, with its kind; of an unreadable one, all that could be a secret."""
    if kind.read is None or not isinstance(value, str):
        return []
    try:
        return [(kind.read(value), kind.content or kind)]
    except UnreadableError:
        return [(reason, _WORD) for reason in _words(value)]


def _words(text: str) -> Iterator[str]:
    words = [*_cells(text), *_literals(text), *_BARE.findall(text)]
    return (reason for reason in words if len(reason.strip()) >= _SHORTEST_WORD and reason.strip() not in _OUR_WORDS)


def _literals(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        yield match[1]
        try:
            yield json.loads(f'"{match[1]}"', strict=False)
        except ValueError:
            continue


def _cells(text: str) -> Iterator[str]:
    for delimiter in ",;\t":
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
                yield from row
        except csv.Error:
            continue
