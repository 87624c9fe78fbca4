"""Search for leaked secrets: a provider that repeats everything, and the forms in which a secret could appear."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote, quote_plus

from linkless_simulator.answers import Answer, json_answer
from linkless_simulator.backend import Backend
from linkless_simulator.bills import Sizes

_EVERY = 8
"""Listing all processes takes about as long as an answer."""
_TOKENS = ("link_token", "public_token", "access_token")
_TYPED = ("password", "answer")


class EchoingBackend(Backend):
    """A provider that repeats what it was told: in messages, identifiers, headers, words and documents.

    Meanwhile it watches the connector from outside: `seen` is what stands in a temporary folder, in the arguments and
    in the environment of the processes that use it.
    """

    def __init__(self, temporary: Path) -> None:
        super().__init__(sizes=Sizes(accounts=1, statements=2, charges=1))
        self.secrets: set[str] = set()
        self.seen = ""
        self.looks = 0
        self._temporary, self._asked, self._watching = temporary, 0, Lock()
        self._passwords: dict[str, str] = {}

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer as usual, with echoes of the secrets of the request."""
        self._watch()
        request = json.loads(body) if body else {}
        answer = super().answer(method, path, headers, body)
        value = json.loads(answer.body) if "json" in answer.headers.get("content-type", "") and whole(answer) else None
        said = self._learnt(request, headers.get("x-deck-secret", ""), value if isinstance(value, dict) else {})
        answer = replace(answer, headers=answer.headers | {"x-request-id": quote(said[self._asked % len(said)])})
        if not isinstance(value, dict):
            return answer
        return replace(answer, body=json_answer(echoed(path, value, said, request)).body)

    def _learnt(self, request: dict[str, Any], secret: str, value: dict[str, Any]) -> list[str]:
        """Note every secret of a request and its answer; return those that this login is known by."""
        tokens = [one[name] for one in (request, value) for name in _TOKENS if isinstance(one.get(name), str)]
        typed = [request[name] for name in _TYPED if name in request]
        typed += [one["field_value"] for one in request.get("fields", ()) if "pin" in one["field_name"]]
        known = next((self._passwords[token] for token in tokens if token in self._passwords), "")
        password = (typed or [known])[0]
        self._passwords.update(dict.fromkeys(tokens, password))
        self.secrets |= {*tokens, *typed}
        return [one for one in (secret, *tokens, password) if one]

    def _watch(self) -> None:
        with self._watching:
            self._asked += 1
            if self._asked % _EVERY == 1:
                self.looks += len(found := list(processes_with(self._temporary)))
                self.seen += "\n".join([*found, *contents_of(self._temporary)])


def whole(answer: Answer) -> bool:
    """Tell whether an answer has the content type JSON."""
    try:
        json.loads(answer.body)
    except ValueError:
        return False
    return True


def echoed(path: str, value: dict[str, Any], said: list[str], request: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with echoes in unexpected places."""
    if "error_code" in value:
        text = f"Refused: {' '.join(said)} {json.dumps(request)}"
        code = said[-1] if value["error_code"] == "SOMETHING_NEW" else value["error_code"]
        return {**value, "error_code": code, "error_message": text, "display_message": text}
    if path == "/connection/context":
        is_odd = value["connection_status_reason"] == "Daydreaming"
        odd = {"connection_status_reason": f"Tried {said[-1]}", "connection_status": said[-1]} if is_odd else {}
        return {**value, **odd, "provider": {**value["provider"], "name": f"Known as {' '.join(said)}"}}
    if path == "/sustainability/get":
        return with_echoes(value, said)
    return value


def with_echoes(document: dict[str, Any], said: list[str]) -> dict[str, Any]:
    """Return a document with secrets in undocumented fields, and tokens in a documented text."""
    echo = {"password": said[-1], "sent": said, "x-deck-secret": said[0]}
    for account in document.get("accounts") or ():
        account["login"] = echo
        for bill in account.get("statements") or ():
            bill["trace"] = echo
            bill["customer_name"] = f"{bill.get('customer_name')}, token {said[1]}, key {said[0]}"
    return {**document, "debug": echo}


def processes_with(temporary: Path) -> Iterator[str]:
    """Yield arguments and environment of the processes that keep their temporary files in a folder."""
    mark = f"TMPDIR={temporary}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment, arguments = ((process / name).read_bytes() for name in ("environ", "cmdline"))
        except OSError:
            continue  # it has ended, or is somebody else's
        if mark in environment.split(b"\0"):
            yield (environment + b"\n" + arguments).replace(b"\0", b"\n").decode(errors="replace")


def contents_of(folder: Path) -> Iterator[str]:
    """Yield the name and the content of every file in a folder."""
    for path in folder.rglob("*"):
        try:
            yield f"{path}\n{path.read_text(encoding='utf-8', errors='replace') if path.is_file() else ''}"
        except OSError:
            continue  # it has just been deleted


def forms_of(secret: str) -> set[str]:
    """Return the forms in which a secret could be printed by mistake."""
    raw = secret.encode()
    escaped = {one for text in (secret, repr(secret)[1:-1], repr(raw)[2:-1]) for one in in_json(text)}
    escaped |= {repr(secret)[1:-1], repr(raw)[2:-1]}
    twice = {again for one in escaped for again in in_json(one)}
    encoded = {quote(secret), quote(secret, safe=""), quote_plus(secret), raw.hex(), raw.hex().upper()}
    return {secret, *secret.splitlines(), *escaped, *twice, *encoded, *in_base64(raw)}


def in_json(text: str) -> set[str]:
    """Return a text as it stands in JSON, with and without characters beyond ASCII."""
    return {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def in_base64(raw: bytes) -> set[str]:
    """Return the parts that the Base64 of a text has in common wherever in the text these bytes begin."""
    found = set()
    for ahead in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(ahead) + raw).decode().rstrip("=")
            found.add(text[-(-ahead * 8 // 6) : (ahead + len(raw)) * 8 // 6])
    return found


def found_in(said: str, secrets: set[str]) -> list[str]:
    """Return every form of every secret that a text contains, in one piece or cut into lines."""
    joined = "".join(said.replace("\\n", "").split())
    hits = [form for secret in secrets for form in forms_of(secret) if form in said]
    return hits + [secret for secret in secrets if "".join(secret.split()) in joined]
