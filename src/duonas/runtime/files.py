"""Files of a device: those of a bundle are read whole, of a bounded size, and with the contents that the policy names.

What a device finds out is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from .errors import BundleError
from .onnx_file import check_onnx

MODEL = "dynamic.onnx"
FILE_OF = {"routed": MODEL, "little": "little.onnx", "big": "big.onnx", "plain": "single.onnx"}  # of a bundle, by role
POLICY = "policy.json"
GOLDEN = "golden.npz"
MOST_POLICY = 64 * 2**20  # bytes: a table of thresholds, class names, and the weights of a router
MOST_MODEL = 2**31 - 1  # bytes: no ONNX file without external data can be larger
MOST_GOLDEN = 256 * 2**20  # bytes: some dozens of images, also before they are compressed
MOST_ROWS = 4096  # of a network of static shapes


def read(path: Path, most: int) -> bytes:
    """Read a file of a bundle.

    Args:
        path: of the file.
        most: bytes that such a file can have.

    Raises:
        BundleError: the file is missing, larger, no file, or cannot be read.
    """
    with opened(path, most) as file:
        return file.read(most)


def check_model(folder: Path, checksums: dict[str, str]) -> Path:
    """Return the path of ``dynamic.onnx``, which is checked a piece at a time and not held in memory.

    Args:
        folder: the folder of the bundle.
        checksums: SHA-256 of each exported file by its name, from the policy.

    Raises:
        BundleError: the file cannot be read, or is not the one that the policy was exported with.
    """
    return check_file(folder / MODEL, MOST_MODEL, checksums)


def check_file(path: Path, most: int, checksums: dict[str, str]) -> Path:
    """Return the path of a file of a bundle, after its size and its checksum are compared; ONNX files are looked into.

    Args:
        path: of the file.
        most: bytes that such a file can have.
        checksums: SHA-256 of each exported file by its name, from the policy.

    Raises:
        BundleError: the file cannot be read, is not the one that the policy was exported with, or would have a runtime
            read or load something else.
    """
    with opened(path, most) as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
        if checksum == checksums.get(path.name) and path.suffix == ".onnx":
            check_onnx(path, file)
    if checksum != checksums.get(path.name):
        raise BundleError(f"{path} is not the file that {POLICY} was exported with: checksums differ, export again.")
    return path


def check_out(path: Path, option: str = "--out") -> Path:
    """Return the path of a result, so that one that cannot be written is refused before the minutes that it takes.

    Args:
        path: of the file, which is not changed.
        option: that gave the path, for messages.

    Raises:
        BundleError: it is a folder or a device, in a folder that is not there, or one that cannot be written.
    """
    if not path.resolve().parent.is_dir() or (path.exists() and not path.is_file()):
        raise BundleError(f"{option} {path}: expected a file in a folder that exists.")
    probe = _beside(path)
    try:
        probe.touch()
    except OSError as error:
        raise BundleError(f"{option} {path} cannot be written: {error.strerror or error}.") from error
    finally:
        _remove(probe)
    return path


def write_whole(path: Path, text: str) -> Path:
    """Write a text file, whole or not at all.

    Raises:
        BundleError: the file cannot be written.
    """
    temporary = _beside(path)
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise BundleError(f"cannot write {path}: {error.strerror or error}.") from error
    finally:
        _remove(temporary)
    return path


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _remove(path: Path) -> None:
    with suppress(OSError):  # of a folder that cannot be written, in which there is nothing to remove
        path.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, most: int) -> Iterator[BufferedReader]:
    """Open a file for the block; a file that is none, or of more than ``most`` bytes, is refused before it is read."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # to open a pipe or device might wait forever
            raise BundleError(f"{path} must be a file, but is {_kind(found.st_mode)}.")
        if found.st_size > most:
            raise BundleError(f"{path} has {found.st_size:,} bytes, but at most {most:,} are possible: it is damaged.")
        with path.open("rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(f"{path} does not exist, but every exported bundle has one{_hint(path)}.") from error
    except (OSError, ValueError) as error:  # ValueError: the path has a null byte
        raise BundleError(f"{_quoted(path)} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "a pipe or device"


def _hint(path: Path) -> str:
    """Return where the bundle is, if a run's folder or one of the bundle's files was given in its place."""
    given = path.parent
    likely = [each for each in (given / "export", given.parent) if (each / POLICY).is_file()]
    return f": did you mean {likely[0]}?" if likely else ""


def _quoted(path: Path) -> str:
    text = str(path)
    return repr(text if len(text) < 200 else f"{text[:100]}...")
