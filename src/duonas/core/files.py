"""Files that are either complete or absent: written to a temporary name, synced, renamed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from duonas.core.errors import DuonasError

_SURROGATES = re.compile("[\ud800-\udfff]")  # what Python makes of bytes that are not UTF-8


def write_atomic(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a temporary file beside ``path``, then rename it to ``path``.

    Raises:
        DuonasError: the disk is full or the folder cannot be written; ``path`` is then unchanged.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DuonasError(f"cannot write {path}: {reason}; nothing was changed there.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return path


@contextmanager
def restored(paths: Sequence[Path], folder: Path) -> Iterator[None]:
    """Put files and folders back as they were if the block raises an error, such as on a full disk.

    They are kept as hard links, which take no space, or as copies where the file system has no links. So the block
    must replace files, as ``write_atomic`` does, and never write into them. What a killed process leaves is a
    temporary folder.

    Args:
        paths: files and folders that the block may replace or create.
        folder: an existing folder on their file system, for the temporary folder.

    Raises:
        DuonasError: they cannot be kept; the block is then not entered.
    """
    try:
        kept = Path(tempfile.mkdtemp(dir=folder, prefix=".before.", suffix=".part"))
    except OSError as error:
        raise DuonasError(f"cannot write to {folder}: {error.strerror or error}; nothing was changed.") from error
    try:
        try:
            for number, path in enumerate(paths):
                _keep(path, kept / str(number))
        except OSError as error:
            raise DuonasError(f"cannot write to {folder}: {error.strerror or error}; nothing was changed.") from error
        try:
            yield
        except Exception:
            for number, path in enumerate(paths):
                _put_back(kept / str(number), path)
            raise
    finally:
        shutil.rmtree(kept, ignore_errors=True)


def _keep(path: Path, kept: Path) -> None:
    if path.is_dir():
        shutil.copytree(path, kept, copy_function=_link)
    elif path.exists():
        _link(path, kept)


def _link(path: str | Path, kept: str | Path) -> None:
    try:
        os.link(path, kept)
    except OSError:  # this file system has no hard links
        shutil.copy2(path, kept)


def _put_back(kept: Path, path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif not kept.exists():
        path.unlink(missing_ok=True)
    if kept.exists():
        kept.replace(path)


def expand(path: str | Path, key: str) -> Path:
    """``path`` with ``~`` and ``~user`` replaced by the home directory.

    Args:
        path: from the recipe or the command line.
        key: where the path was written, such as ``"[data] path"``, for the message.

    Raises:
        DuonasError: it is empty, or the user does not exist.
    """
    if not str(path):
        raise DuonasError(f"{key} is empty: expected a path.")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise DuonasError(f"{key} = {str(path)!r}: the user {Path(path).parts[0][1:]!r} does not exist.") from error


def as_path(value: Any, what: str) -> Path:
    """``value`` as a path.

    Args:
        value: a text or a path.
        what: what it is, such as ``a run's folder``, for the message.

    Raises:
        DuonasError: it is something else, or empty.
    """
    if isinstance(value, str | os.PathLike) and isinstance(text := os.fspath(value), str) and text:
        return Path(text)
    raise DuonasError(f"{what} must be a path, got {value!r:.80}.")


def write_text(path: Path, text: str) -> Path:
    """Write ``text`` to ``path`` atomically.

    Raises:
        DuonasError: it holds characters that UTF-8 does not have, such as those of file names in another encoding.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DuonasError(f"cannot write {path}: {error.object[error.start : error.end]!r} is not UTF-8.") from error
    return write_bytes(path, data)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write ``data`` to ``path`` atomically."""
    return write_atomic(path, lambda temporary: temporary.write_bytes(data))


def write_json(path: Path, value: Any) -> Path:
    """Write ``value`` to ``path`` as indented JSON, atomically; infinite numbers as ``"inf"`` and ``"-inf"``."""
    return write_text(path, _dumps(_finite(value), indent=2) + "\n")


def _dumps(value: Any, indent: int | None = None) -> str:
    """JSON as text that UTF-8 can hold: file names in another encoding are escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return text if text.isascii() or not _SURROGATES.search(text) else json.dumps(value, indent=indent)


def _finite(value: Any) -> Any:
    """Replace infinities, which JSON does not have, by strings."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def read_json(path: Path) -> Any:
    """Read JSON from ``path``.

    Raises:
        DuonasError: the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DuonasError(f"{path} does not exist.") from error
    except (ValueError, OSError) as error:
        raise DuonasError(f"{path} is damaged: {error}.") from error
    except RecursionError as error:
        raise DuonasError(f"{path} is damaged: it is too deeply nested.") from error


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object from ``path``.

    Raises:
        DuonasError: the file is missing or damaged.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise DuonasError(f"{path} is damaged: it is not a JSON object.")
    return value


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """In this context, an error that comes of a wrong or missing value in ``path`` is a ``DuonasError``."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, StopIteration) as error:
        what = " ".join(f"{type(error).__name__} {error}".split())
        raise DuonasError(
            f"{path} is damaged or of another version of duonas: {what[:200].removesuffix('.')}."
        ) from error


def append_json_line(path: Path, entry: dict[str, Any]) -> None:
    """Append one line of JSON in a single write, so that a killed process leaves at most one broken line, the last.

    Raises:
        DuonasError: the disk is full or the file cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, _json_line(entry).encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise DuonasError(f"cannot write {path}: {error.strerror or error}.") from error


def write_json_lines(path: Path, entries: Iterable[dict[str, Any]]) -> Path:
    """Write a file of JSON lines atomically."""
    return write_text(path, "".join(map(_json_line, entries)))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read all complete lines in order; a broken last line is skipped, and a missing file has no lines.

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
        except RecursionError as error:
            raise DuonasError(f"{path} is damaged: line {number} is too deeply nested.") from error
    return entries


def drop_broken_end(path: Path) -> None:
    """Remove an incomplete last line, so that the next entry starts on a new line."""
    if path.exists() and not (whole := path.read_bytes()).endswith(b"\n") and whole:
        with path.open("r+b") as file:
            file.truncate(whole.rfind(b"\n") + 1)


def _json_line(entry: dict[str, Any]) -> str:
    return _dumps(entry) + "\n"


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
