"""The state of a training run on disk, from which it resumes to the bit: one safetensors file with a JSON header."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError
from duonas.core.tensors import load_tensors, save_tensors
from duonas.training.optim import AveragedWeights


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
        """Save the state after ``step`` steps, replacing the previous one."""
        tensors = {f"weights/{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"average/{name}": value for name, value in average.values.items()}
        for name, parameter in network.named_parameters():
            if "momentum_buffer" in optimizer.state[parameter]:
                tensors[f"momentum/{name}"] = optimizer.state[parameter]["momentum_buffer"]
        save_tensors(self.path, tensors, {"step": step})

    def load(self, network: nn.Module, optimizer: torch.optim.Optimizer, average: AveragedWeights) -> int:
        """Load the saved state and return the steps done; 0 where there is no checkpoint."""
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
