"""Read a file of weights, whichever network they are of, without running any code in it."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from duonas.core.errors import DuonasError

FORMATS = (".safetensors", ".pth", ".pt", ".bin", ".tar")  # the first by safetensors, the others by torch.load
INSIDE = ("state_dict", "state_dict_ema", "model", "model_state_dict")  # where checkpoints keep the tensors
STARTS = (b"PK", b"\x80")  # of what torch.save writes: an archive, and before version 1.6 a pickle
PREFIXES = ("module.", "_orig_mod.")  # of networks that were trained in parallel or compiled


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name.

    Raises:
        DuonasError: the file is no file of weights; the message begins with its path.
    """
    if path.suffix not in FORMATS:
        raise DuonasError(f"{path} is no file of weights: expected one that ends in {', '.join(FORMATS)}.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        _check_start(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that torch would not write
            found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DuonasError(
            f"{path} holds more than tensors, which is not read since it could run any code: save its state_dict alone."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        said = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
        raise DuonasError(f"{path} cannot be read as weights: {said or type(error).__name__}.") from error
    inside = next((found[key] for key in INSIDE if key in found), found) if isinstance(found, Mapping) else None
    if not isinstance(inside, Mapping) or not all(isinstance(value, Tensor) for value in inside.values()):
        raise DuonasError(f"{path} holds no state_dict: expected tensors by name.")
    return {_plain(str(name)): value for name, value in inside.items()}


def _check_start(path: Path) -> None:
    """Refuse what torch did not save, of which its own errors say that it could run code."""
    with path.open("rb") as file:
        start = file.read(2)
    if not start:
        raise DuonasError(f"{path} cannot be read as weights: it is empty.")
    if not start.startswith(STARTS):
        raise DuonasError(
            f"{path} cannot be read as weights: torch did not save it (it may be a web page, or a pointer of Git LFS)."
        )


def _plain(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name
