"""What a training run needs to go on as if it had never stopped: one safetensors file with a JSON header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.files import write_bytes
from duonas.training.optim import AveragedWeights


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> Path:
    """Write named tensors and a JSON header to ``path`` atomically, and return it."""
    own = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return write_bytes(path, save(own, {"header": json.dumps(dict(header))}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Named tensors and the JSON header from ``path``.

    Raises:
        DuonasError: the file is missing, truncated or not one of ours.
    """
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["header"])
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except FileNotFoundError as error:
        raise DuonasError(f"{path} does not exist.") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise DuonasError(f"{path} is damaged ({error}); delete it to do that part of the run again.") from error


class Checkpoint:
    """The state of a training run on disk: weights, momentum, averaged weights, steps done.

    Randomness needs no saving: all draws are functions of the seed and the step.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def steps(self) -> int:
        """The steps done when it was saved; 0 where there is none."""
        return int(load_tensors(self.path)[1]["step"]) if self.path.exists() else 0

    def save(self, step: int, network: nn.Module, optimizer: torch.optim.Optimizer, average: AveragedWeights) -> None:
        """Write the state after ``step`` steps, in place of the one before."""
        tensors = {f"weights/{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"average/{name}": value for name, value in average.values.items()}
        for name, parameter in network.named_parameters():
            if "momentum_buffer" in optimizer.state[parameter]:
                tensors[f"momentum/{name}"] = optimizer.state[parameter]["momentum_buffer"]
        save_tensors(self.path, tensors, {"step": step})

    def load(self, network: nn.Module, optimizer: torch.optim.Optimizer, average: AveragedWeights) -> int:
        """Put the saved state in place and return the steps done; 0 where there is no checkpoint."""
        if not self.path.exists():
            return 0
        tensors, header = load_tensors(self.path)
        try:
            network.load_state_dict(_under("weights/", tensors))
            for name, value in _under("average/", tensors).items():
                average.values[name].copy_(value)
            momentum = _under("momentum/", tensors)
            for name, parameter in network.named_parameters():
                if name in momentum:
                    optimizer.state[parameter]["momentum_buffer"] = momentum[name].to(parameter.device)
            return int(header["step"])
        except (KeyError, RuntimeError) as error:
            raise DuonasError(f"{self.path} belongs to another network; delete it to train from the start.") from error


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
