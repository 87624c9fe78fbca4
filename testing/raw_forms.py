"""Raw configurations for the tests of the configuration, and the sentence that refuses one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airbyte_cdk import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.config import Login, parse_config

UTILITY = "09320c5d-8552-47df-8aa3-98fe1c0b5505"
TOKEN = "access-production-3c1f2d8e"
MASK = "**********"
PLANTED = "pläntéd\n1\"2'3\\4"

LOGIN = {"method": "login", "source_id": UTILITY, "username": "user_good", "password": "pass_good"}
ENTRY = {"key": "hq", "source_id": UTILITY, "username": "user_good", "password": "pass_good"}
KNOWN = "access_token, attempt, key, login_fields, method, password, source_id, username"
LISTED = "In the pasted list (connection.connections), "
TOGETHER = "give username and password, or login_fields instead of both"


def form(connection: object = LOGIN, **changes: object) -> dict[str, Any]:
    """Return a raw configuration; None counts as absent."""
    keys = {"environment": "live", "client_id": "client-1", "secret": "secret-1"}
    return {**keys, "connection": connection, **changes}


def fleet(connections: object, **changes: object) -> dict[str, Any]:
    """Return a raw configuration with a pasted list; anything but text is written as JSON."""
    text = connections if isinstance(connections, str) else json.dumps(connections)
    return form({"method": "fleet", "connections": text}, **changes)


def refusal(raw: Any) -> str:
    """Return the sentence with which a raw configuration is refused."""
    with pytest.raises(AirbyteTracedException) as caught:
        parse_config(raw)
    assert caught.value.failure_type is FailureType.config_error
    return str(caught.value.message)


def only_login(raw: dict[str, Any]) -> Login:
    """Return the one login of a raw configuration."""
    (login,) = parse_config(raw).logins
    return login
