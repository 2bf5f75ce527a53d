"""The fields of Kubernetes' objects, as the dataclasses of `lightkube-models` list them, read strictly.

An unknown field, a missing one, and a value of another type are errors. What a type cannot say (the words that a string
may be, how a quantity is written) is not looked at.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import sys
from types import ModuleType
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter


def check(manifest: dict[str, Any]) -> None:
    """Read one object.

    Raises:
        ValidationError: lists the fields that are wrong.
    """
    # As JSON, because an object of it becomes a dataclass also where nothing is converted.
    _reader(manifest["apiVersion"], manifest["kind"]).validate_json(json.dumps(manifest))


@functools.cache
def _reader(api: str, kind: str) -> TypeAdapter[Any]:
    _stand_in()
    group, _, version = api.rpartition("/")
    module = importlib.import_module(f"lightkube.models.{group.partition('.')[0] or 'core'}_{version}")
    return TypeAdapter(getattr(module, kind))


def _stand_in() -> None:
    """The models are made with a decorator of the `lightkube` client, of which no more than that is needed."""
    schema: Any = ModuleType("lightkube.core.schema")
    schema.dataclass, schema.field, schema.DictMixin = _dataclass, _field, object
    sys.modules.setdefault("lightkube.core", ModuleType("lightkube.core"))
    sys.modules.setdefault("lightkube.core.schema", schema)


def _dataclass(made: type) -> type:
    made = dataclasses.dataclass(made)
    made.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[attr-defined]  # pydantic's hook
    return made


def _field(*, metadata: dict[str, str], default: Any = ...) -> Any:
    """A field whose name in JSON is no name in Python, such as `from`."""
    return Field(default, alias=metadata["json"])
