"""The plain data follow the schema, and the schema states all of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pyfai_gridcal.calibration import Calibration
from pyfai_gridcal.judging.validation import Validation
from pyfai_gridcal.report import report_data, schema, summary


def mismatches(value: Any, form: dict[str, Any], whole: dict[str, Any], where: str = "$") -> list[str]:
    """What contradicts a JSON schema, for the words that ours uses; any other word is a mismatch too."""
    if "$ref" in form:
        return mismatches(value, whole["$defs"][form["$ref"].removeprefix("#/$defs/")], whole, where)
    known = {
        "$schema",
        "$defs",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "items",
        "minItems",
        "maxItems",
    }
    known |= {"enum", "const", "oneOf", "minimum", "maximum", "exclusiveMinimum"}
    out = [f"{where}: unknown word {word}" for word in set(form) - known]
    if "oneOf" in form:
        good = [f for f in form["oneOf"] if not mismatches(value, f, whole, where)]
        return out + ([] if len(good) == 1 else [f"{where}: fits {len(good)} of the alternatives: {value!r:.80}"])
    if ("const" in form and value != form["const"]) or ("enum" in form and value not in form["enum"]):
        out.append(f"{where}: {value!r}")
    kinds = form.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_a(value, kind) for kind in kinds):
        return [*out, f"{where}: {value!r:.80} is not {kinds}"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = form.get("minimum", -np.inf), form.get("maximum", np.inf)
        if not low <= value <= high or not value > form.get("exclusiveMinimum", -np.inf):
            out.append(f"{where}: {value} out of range")
    if isinstance(value, list):
        if not form.get("minItems", 0) <= len(value) <= form.get("maxItems", np.inf):
            out.append(f"{where}: {len(value)} items")
        for k, item in enumerate(value):
            out += mismatches(item, form.get("items", {}), whole, f"{where}[{k}]")
    if isinstance(value, dict):
        out += [f"{where}: no {name}" for name in form.get("required", []) if name not in value]
        for name, part in form.get("properties", {}).items():
            if name in value:
                out += mismatches(value[name], part, whole, f"{where}.{name}")
    return out


def is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    number = isinstance(value, int | float)
    return {
        "null": value is None,
        "string": isinstance(value, str),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
        "integer": isinstance(value, int),
        "number": number,
    }[kind]


def test_data_follow_the_schema(made: Calibration, loop: Validation) -> None:
    form = schema()
    for data in (summary(made), report_data(made), report_data(made, validation=loop)):
        again = json.loads(json.dumps(data, allow_nan=False))
        assert mismatches(again, form, form) == []


def test_schema_states_every_key(made: Calibration, loop: Validation) -> None:
    form = schema()

    def unstated(value: Any, part: dict[str, Any], where: str) -> list[str]:
        if "$ref" in part:
            part = form["$defs"][part["$ref"].removeprefix("#/$defs/")]
        if "oneOf" in part:
            part = next(p for p in part["oneOf"] if p.get("type") != "null")
            return unstated(value, part, where) if value is not None and not isinstance(value, str) else []
        if isinstance(value, list):
            return [w for item in value[:2] for w in unstated(item, part.get("items", {}), where)]
        if not isinstance(value, dict) or "properties" not in part:
            return []
        found = [f"{where}.{key}" for key in value if key not in part["properties"]]
        return found + [
            w for key, item in value.items() for w in unstated(item, part["properties"].get(key, {}), f"{where}.{key}")
        ]

    data = report_data(made, validation=loop)
    data.pop("settings")
    assert unstated(data, form, "$") == []


def test_a_wrong_summary_is_seen(made: Calibration) -> None:
    form, data = schema(), summary(made)
    for key, value in (("schema", "other/1"), ("coverage", 1.5), ("shape", [1]), ("pixel_size_m", ["a", "b"])):
        assert mismatches({**data, key: value}, form, form)
    assert mismatches({k: v for k, v in data.items() if k != "verdict"}, form, form)
