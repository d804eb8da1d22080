"""What is needed to reproduce a run: environment, stages, splits, checksums of files."""

from __future__ import annotations

from typing import Any

from duonas.report.files import RunFiles
from duonas.report.formatting import duration

Rows = list[tuple[str, str]]


def sheets(run: RunFiles) -> list[tuple[str, Rows]]:
    """The titles and rows of all tables that the run has files for."""
    policy = run["pair/policy.json"] or {}
    found = (
        ("Stages", _stages(run["stages.json"])),
        ("Environment", _flat(run["environment.json"] or run.measure.get("environment") or {})),
        ("Threshold", _flat(policy.get("choice") or {}) + _flat(policy.get("router") or {})),
        ("Splits (SHA-256)", _flat(policy.get("splits") or {})),
        ("Exported files (SHA-256)", _flat(policy.get("onnx") or {})),
    )
    return [(title, rows) for title, rows in found if rows]


def _stages(stages: Any) -> Rows:
    """The name and the duration of each stage, whatever else its entry holds."""
    entries = stages.get("stages", stages) if isinstance(stages, dict) else {}
    rows = []
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        seconds = entry.get("seconds") if isinstance(entry, dict) else entry
        rows.append((str(name), duration(float(seconds)) if isinstance(seconds, int | float) else "done"))
    return rows


def _flat(value: Any, prefix: str = "") -> Rows:
    """Nested mappings as rows with dotted names."""
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _flat(inner, f"{prefix}.{key}" if prefix else str(key))]
    if value is None:
        return []
    return [(prefix, ", ".join(map(_text, value)) if isinstance(value, list) else _text(value))]


def _text(value: Any) -> str:
    """A value of a JSON file; of a fraction the first six digits, since the file itself has them all."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
