"""Writes campaign.schema.json, for editors, from the model: ``python -m hpcvirt.campaigns.schema``."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpcvirt.core.config import tables

TARGET = Path(__file__).with_name("campaign.schema.json")


def text() -> str:
    """The schema as JSON."""
    schema = tables.FileTable.model_json_schema()
    told = dict(_docstrings())
    for name, table in {"FileTable": schema, **schema["$defs"]}.items():
        for key, value in table["properties"].items():
            if (name, key) in told:
                value["description"] = told[name, key]
    schema |= {"$schema": "http://json-schema.org/draft-07/schema#", "title": "hpcvirt-tui campaign file"}
    return json.dumps(_for_draft_7(schema), indent=2, ensure_ascii=False) + "\n"


def _docstrings() -> Iterator[tuple[tuple[str, str], str]]:
    """What stands under the keys of each table in the source, by (table, key)."""
    for table in ast.parse(inspect.getsource(tables)).body:
        if not isinstance(table, ast.ClassDef):
            continue
        for key, below in zip(table.body, table.body[1:], strict=False):
            if not (isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name)):
                continue
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                yield (table.name, key.target.id), str(below.value.value)


def _for_draft_7(value: Any) -> Any:
    """The draft that editors for TOML read: ``definitions``, and titles that say nothing new left out."""
    if isinstance(value, dict):
        moved = {("definitions" if key == "$defs" else key): _for_draft_7(part) for key, part in value.items()}
        if "title" in moved and "$schema" not in moved and isinstance(moved["title"], str):
            del moved["title"]
        return moved
    if isinstance(value, list):
        return [_for_draft_7(part) for part in value]
    return value.replace("#/$defs/", "#/definitions/") if isinstance(value, str) else value


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
