"""Networks of timm with drawn weights and statistics, for supernets to start from."""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn

from duonas.core.rng import stream


def drawn(network: str, classes: int = 7) -> nn.Module:
    """A network of timm whose norms do something, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = timm.create_model(network, num_classes=classes).eval()
    with torch.no_grad():
        for name, values in made.state_dict().items():
            if values.ndim == 1:
                values.copy_(torch.from_numpy(stream(0, name).uniform(0.5, 1.5, values.shape)).float())
    return made


def positional(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under names that timm does not know."""
    return {f"_layer.{number}": values for number, values in enumerate(state.values())}
