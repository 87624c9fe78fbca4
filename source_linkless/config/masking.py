"""Secrets: which texts of a raw configuration are secret, and how they are kept out of messages.

    configuration ─► fields whose content is secret ─► texts inside them (JSON, CSV) ─► their secret fields ─► register
                                                       └ unreadable: every word that could be a secret
    message ─► hidden ─► the same message with **** in place of every registered secret ─► JSON

Texts are masked before they become JSON. Masking a finished line could break it: a secret such as `1` or `"` is part of
the protocol's own text.
"""

import csv
import io
import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets

from source_linkless.config import logins
from source_linkless.config.config import schemas

MASK = "****"
_SHORTEST_ANYWHERE = 8  # characters from which on a secret is masked anywhere; see `Register.hidden`
_WHOLE = r"(?<![\w.-])(?<!\d[,:/])%s(?![\w-])(?![.,:/]\d)(?!\.\w)"
_SHORTEST_WORD = 4
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)', re.DOTALL)
_BARE = re.compile(r"""[^"',;:{}\[\]\t\r\n]+""")
_OUR_WORDS = {*logins.FLEET_COLUMNS, "connections", "fleet", "identity", "login", "refused", "salt", "submitted"}
_SECRET = {name for name, schema in schemas().items() if schema.get("airbyte_secret")}
_OPEN = {*logins.FLEET_COLUMNS} - _SECRET
# By place and property, what stands there; any other property is what stands under "", else the place itself. In a
# login, a property that nobody knows may be a misspelt password.
_PLACES: dict[str, dict[Any, str]] = {
    "form": {**dict.fromkeys(_SECRET, "secret"), "connection": "login", "connections": "login", "links": "links"},
    "login": {**dict.fromkeys(_OPEN, "open"), "connections": "login", "": "secret"},
    "links": {"access_token": "secret", "salt": "secret"},
    "remembered": {"access_token": "secret", "salt": "secret"},
}
# By place, how a text that stands there is read, and what stands in it.
_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "login": (logins.read_entries, "login"),
    "secret": (lambda text: logins.read_json(text) if logins.looks_like_json(text) else None, "word"),
    "links": (logins.read_json, "remembered"),
}


def secrets_in(raw: Any) -> list[str]:
    """Return every secret of a raw configuration, however broken, the longest first."""
    found: dict[str, None] = {}
    pending: list[tuple[Any, str]] = [(raw, "form")]
    while pending:  # no recursion: the nesting is the user's
        value, place = pending.pop()
        if isinstance(value, Mapping):
            known = _PLACES.get(place, {})
            pending += [(child, known.get(name, known.get("", place))) for name, child in value.items()]
        elif isinstance(value, list | tuple):
            pending += [(child, place) for child in value]
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            if place in ("login", "secret", "word"):
                found.update(dict.fromkeys((str(value), str(value).strip())))  # as it stands and as it is used
            if isinstance(value, str) and place in _READERS:
                read, content = _READERS[place]
                try:
                    pending.append((read(value), content))
                except logins.UnreadableError:
                    pending += [(word, "word") for word in _words(value)]
    secrets = (secret for secret in found if secret.strip() and not logins.is_masked(secret))
    return sorted(secrets, key=len, reverse=True)  # one that is part of another would leave its rest in clear


def _words(text: str) -> list[str]:
    """Return all that could be a secret in a text that cannot be read: its cells, quoted texts and bare words."""
    words = _BARE.findall(text)
    for delimiter in ",;\t":
        with suppress(csv.Error):
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
                words += row
    for quoted in _QUOTED.findall(text):
        words.append(quoted)
        with suppress(ValueError):
            words.append(json.loads(f'"{quoted}"', strict=False))
    return [word for word in words if len(word.strip()) >= _SHORTEST_WORD and word.strip() not in _OUR_WORDS]


class Register:
    """The secrets of this process, each in every form in which a message could repeat it."""

    def __init__(self) -> None:
        self._forms: defaultdict[int, dict[str, None]] = defaultdict(dict)  # by length, in their order

    def add(self, secret: str) -> None:
        """Mask a secret from now on."""
        in_json, in_json_as_it_is = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
        for form in {secret, in_json, in_json_as_it_is, repr(secret)[1:-1]}:
            if form.strip() and not logins.is_masked(form) and form not in self._forms[len(form)]:
                self._forms[len(form)][form] = None
                if len(form) >= _SHORTEST_ANYWHERE:
                    add_to_secrets(form)  # for a runner that calls us in its own process and masks with the CDK

    def hidden(self, text: str) -> str:
        """Return a text with `****` in place of every secret.

        A secret of fewer than 8 characters cannot be told from other text. It is masked where it stands as a whole
        word, never inside a longer word, a name with hyphens, or a number.
        """
        for length in sorted(self._forms, reverse=True):
            is_long = length >= _SHORTEST_ANYWHERE
            for form in self._forms[length]:
                if form in text:
                    text = text.replace(form, MASK) if is_long else re.sub(_WHOLE % re.escape(form), MASK, text)
        return text


_REGISTER = Register()
register, hidden = _REGISTER.add, _REGISTER.hidden  # for texts only: never finished JSON


def silence_libraries() -> None:
    """Keep the logs of other libraries, which quote headers and bodies, out of ours; our logger is `airbyte`."""
    root = logging.getLogger()
    root.handlers[:] = [logging.NullHandler()]  # without any handler, Python would print warnings to standard error
    logging.raiseExceptions = False  # a record that cannot be formatted would be printed with its arguments
