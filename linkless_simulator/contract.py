"""Validates requests against contract/openapi.yaml, with one validator per operation.

The whole of openapi-core costs 1.4 ms a request; the schema validator underneath it, from the same project,
costs about 0.1 ms when we look up the operation. Tests check that both give the same verdicts.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from jsonschema.exceptions import ValidationError
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from linkless_simulator.answers import refused

CONTRACT_PATH = Path(__file__).resolve().parent.parent / "contract" / "openapi.yaml"
_URI = "urn:contract"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: whether it needs keys, and the validator of its body (None: takes no body)."""

    needs_keys: bool
    validator: Any


class Contract:
    """The operations of a contract, by (method, path)."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Compile `document`, a parsed OpenAPI 3.1 description."""
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        registry: Registry[Any] = Registry().with_resource(_URI, resource)
        self.operations = {
            (method.upper(), path): Operation(
                needs_keys=bool(operation.get("security", document["security"])),
                validator=_validator(registry, path, method) if "requestBody" in operation else None,
            )
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }

    def read(self, method: str, path: str, content_type: str, body: bytes) -> dict[str, Any]:
        """Return the parsed body of a request that fits; refuse any other with VALIDATION_FAILED.

        The message names what is wrong and where, and no value, which may be a password.
        """
        validator = self.operations[method, path].validator
        if validator is None:
            return {}
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise refused("VALIDATION_FAILED", "header content-type: must be application/json")
        value = _parse(body)
        if problems := [text for error in validator.iter_errors(value) for text in _say(error)]:
            raise refused("VALIDATION_FAILED", "; ".join(dict.fromkeys(problems)))
        return cast("dict[str, Any]", value)  # every request schema of the contract is an object


@cache
def shipped_contract() -> Contract:
    """Return the contract of this repository, compiled once per process."""
    return Contract(yaml.safe_load(CONTRACT_PATH.read_text(encoding="utf-8")))


def _validator(registry: Registry[Any], path: str, method: str) -> Any:
    pointer = f"/paths/{path.replace('/', '~1')}/{method}/requestBody/content/application~1json/schema"
    return OAS31Validator({"$ref": f"{_URI}#{pointer}"}, registry=registry, format_checker=oas31_format_checker)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise refused("VALIDATION_FAILED", "body: is not JSON") from None


def _say(error: ValidationError) -> Iterator[str]:
    """Yield what is wrong without quoting a value, which jsonschema's own messages do."""
    where = "body" + error.json_path.removeprefix("$")
    wanted: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            yield f"{where}: {', '.join(n for n in wanted if n not in given)} is missing"
        case "additionalProperties":
            known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
            yield f"{where}: {', '.join(n for n in given if n not in known)} is unknown"
        case "oneOf" | "anyOf":
            forms = ("; ".join(_branch(error, n)) for n in range(len(wanted)))
            yield f"{where}: fits none of its forms (" + " | ".join(forms) + ")"
        case _:
            yield f"{where}: breaks {error.validator} {json.dumps(wanted)}"


def _branch(error: ValidationError, number: int) -> Iterator[str]:
    for inner in error.context:
        if inner.schema_path[0] == number:
            yield from _say(inner)
