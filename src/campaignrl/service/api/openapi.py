"""The OpenAPI description, with bodies, tokens and problems.

Written to docs/openapi.json by `campaignrl serve openapi`; a test compares. Not here: the routes.
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
        parts.setdefault("schemas", {}).update(bodies["$defs"])
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, operations in found["paths"].items():
            for operation in operations.values():
                operation["security"] = [] if path in OPEN else [{"token": []}]
        app.openapi_schema = found
    return app.openapi_schema


def methods_of(app: FastAPI, path: str) -> list[str]:
    """What may be asked at a path, in capitals."""
    found: set[str] = set()
    for template, operations in description(app)["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
            found |= {method.upper() for method in operations}
    return sorted(found)
