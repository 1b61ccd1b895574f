"""The OpenAPI description, with bodies, tokens and problems.

Channels are those of the world that is served; docs/openapi.json is what `campaignrl serve ... --openapi` prints of
tight_budget, and a test compares. Not here: the routes.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from campaignrl.service.api.models import BODIES

OPEN = ("/healthz", "/readyz", "/metrics")
REF = "#/components/schemas/{model}"


def description(app: FastAPI) -> dict[str, Any]:
    """Of an app; made once."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, bodies = models_json_schema([(model, "validation") for model in BODIES], ref_template=REF)
        parts = found.setdefault("components", {})
        schemas = parts.setdefault("schemas", {})
        schemas.update(bodies["$defs"])
        _say_features(schemas["DecideRequest"]["properties"]["features"]["anyOf"][0])
        _say_channels(schemas, list(app.state.service.settings.world.channels))
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, operations in found["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in OPEN else [{"token": []}]
        app.openapi_schema = found
    return app.openapi_schema


def _say_features(said: dict[str, Any]) -> None:
    """Every name is one a column may have, every value a cell: a pattern alone lets other names be anything."""
    ((pattern, cell),) = said.pop("patternProperties").items()
    said |= {"propertyNames": {"minLength": 1, "maxLength": 256, "pattern": pattern}, "additionalProperties": cell}


def _say_channels(schemas: dict[str, Any], channels: list[str]) -> None:
    """Wherever a body names a channel, those of the world that is served."""
    for model, name, more in (("Outcome", "channel", [""]), ("Permission", "channel", ["*"])):
        schemas[model]["properties"][name]["enum"] = [*more, *channels]
    for model in ("DecideRequest", "BatchRequest"):
        listed = next(one for one in schemas[model]["properties"]["channels"]["anyOf"] if one.get("type") == "array")
        listed["items"]["enum"] = channels


def methods_of(app: FastAPI, path: str) -> list[str]:
    """What may be asked at a path, in capitals."""
    found: set[str] = set()
    for template, operations in description(app)["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
            found |= {method.upper() for method in operations}
    return sorted(found)
