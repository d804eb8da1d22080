"""The log of a run: one JSON object a line, added to and never rewritten but to cut off what a killed run left."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError
from duonas.core.files import write_text


def append_line(path: Path, entry: dict[str, Any]) -> None:
    """Add one line in one write, so that a kill leaves at most one broken line, the last.

    Raises:
        DuonasError: the disk is full or the file cannot be written.
    """
    line = json.dumps(entry, ensure_ascii=False) + "\n"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise DuonasError(f"cannot write {path}: {error.strerror or error}.") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole entries, oldest first; a broken last line is left out, and a missing file is an empty log.

    Raises:
        DuonasError: a line that is not the last is broken.
    """
    if not path.exists():
        return []
    entries = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            if line:
                entries.append(json.loads(line))
        except ValueError as error:
            if number == len(lines):
                break  # no newline after it: the write was cut short
            raise DuonasError(f"{path} is damaged: line {number} is not JSON.") from error
    return entries


def drop_broken_end(path: Path) -> None:
    """Cut off a last line that has no newline, so that the next one starts afresh."""
    if path.exists() and not (whole := path.read_bytes()).endswith(b"\n") and whole:
        with path.open("r+b") as file:
            file.truncate(whole.rfind(b"\n") + 1)


def drop_after(path: Path, stage: str, step: int) -> None:
    """Drop the entries of ``stage`` past ``step``: a resumed run writes them again."""
    entries = read_lines(path)
    kept = [entry for entry in entries if entry.get("stage") != stage or entry.get("step", 0) <= step]
    if len(kept) < len(entries):
        write_text(path, "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in kept))
