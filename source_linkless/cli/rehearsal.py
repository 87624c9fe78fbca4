"""What a command would send and change, told instead of done (`--dry-run`); every secret is masked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from source_linkless.cli.choosing import Choice
from source_linkless.cli.wording import wrapped
from source_linkless.cli.workspace import Workspace
from source_linkless.config import Login, Step
from source_linkless.linking.handshake import link_options

MASK = "********"
_LATER = "(from the answer)"


def linking(workspace: Workspace, choice: Choice) -> Iterator[str]:
    """Yield what `linkless link` would do with each login."""
    for login in choice.submitted:
        yield from _submission(workspace, login)
    for login in choice.refused_password:
        yield wrapped(f"{login.key}: nothing is sent before you type another password: it was refused.", "  ")
    for login, _ in choice.left:
        yield wrapped(f"{login.key}: left as it is; it needs a person.", "  ")
    for login in choice.linked:
        yield wrapped(f"{login.key}: left as it is; it has its token.", "  ")


def forgetting(workspace: Workspace, login: Login) -> Iterator[str]:
    """Yield what `linkless forget` would do."""
    if workspace.links.token(login) is None:
        yield wrapped(f"{login.key}: not linked, so nothing would be sent.", "  ")
    else:
        yield from _request(workspace, "/connection/destroy", {"access_token": MASK})
    yield wrapped(f"The entry and the link of {login.key} would be removed from {workspace.file.target}.")


def _submission(workspace: Workspace, login: Login) -> Iterator[str]:
    step = workspace.links.step(login)
    if step is Step.EXHAUSTED:
        yield wrapped(f"{login.key}: left as it is; it was {step.value}.", "  ")
        return
    is_update = step is Step.UPDATE
    options = link_options(workspace.config, MASK if is_update else None)
    yield f"{login.key}: would {step.value}"
    yield from _request(workspace, "/link/token/create", options)
    credentials = {"username": login.username, "password": MASK} if login.fields is None else _masked(login.fields)
    payload = {"link_token": _LATER, "source_id": login.source_id, **credentials}
    yield from _request(workspace, "/link/connect", payload)
    if not is_update:
        yield from _request(workspace, "/connection/public_token/exchange", {"public_token": _LATER})
    yield from _request(workspace, "/link/connection/status", {"link_token": _LATER})


def _masked(fields: Mapping[str, str]) -> dict[str, Any]:
    return {"fields": [{"field_name": name, "field_value": MASK} for name in fields]}


def _request(workspace: Workspace, path: str, payload: Mapping[str, Any]) -> Iterator[str]:
    yield wrapped(f"  POST {workspace.config.api_url}{path}", "  ")
    yield wrapped(f"    {json.dumps(payload, ensure_ascii=False)}", "    ")
