"""Named arrays and tensors in safetensors files, written atomically, with a JSON header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes

if TYPE_CHECKING:
    from torch import Tensor


def save_tensors(path: Path, tensors: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> Path:
    """Write named NumPy arrays or torch tensors to ``path`` atomically, and return it.

    Args:
        path: the file.
        tensors: arrays, or tensors on any device, by name.
        header: JSON values; by default the file has no metadata.
    """
    # The header is one entry, since safetensors writes several in an order that changes from run to run.
    metadata = None if header is None else {"header": json.dumps(dict(header))}
    return write_bytes(path, save({name: _array(value) for name, value in tensors.items()}, metadata))


def load_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read named NumPy arrays and the header from ``path``; the header is empty if the file has none.

    Raises:
        DuonasError: the file is missing or damaged.
    """
    return _load(path, "numpy")


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read named torch tensors, on the CPU, and the header from ``path``; the header is empty if the file has none.

    Raises:
        DuonasError: the file is missing or damaged.
    """
    return _load(path, "pt")


def read_header(path: Path) -> dict[str, Any]:
    """Read the header from ``path`` alone; it is empty if the file has none.

    Raises:
        DuonasError: the file is missing or damaged.
    """
    return _load(path, "numpy", tensors=False)[1]


def _array(value: Any) -> np.ndarray:
    # In C order: safetensors writes the memory as it is, so strides would scramble the values.
    return np.asarray(value if isinstance(value, np.ndarray) else value.numpy(force=True), order="C")


def _load(path: Path, framework: str, *, tensors: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with safe_open(path, framework) as file:
            header = json.loads((file.metadata() or {}).get("header", "{}"))
            names = file.keys() if tensors else ()
            return {name: file.get_tensor(name) for name in names}, header
    except FileNotFoundError as error:
        raise DuonasError(f"{path} does not exist.") from error
    except (SafetensorError, ValueError, OSError) as error:
        raise DuonasError(f"{path} is damaged ({error}): delete it, and the run computes it again.") from error
