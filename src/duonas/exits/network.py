"""A network of N exits, which gives an answer at each and may stop at any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


class ExitNet(nn.Module):
    """A classifier in N stages, each of which is followed by a head that answers: an exit.

    A stage hands on a tuple of tensors, whose first dimension is the batch. The first stage takes the images. What an
    image costs that leaves at exit n is all of the first n stages *and of their n heads*, since the heads on the way
    have answered, too.

    Args:
        stages: N modules; the first one takes images (B, 3, H, W) in [0, 1], each other one what the stage before it
            returned, as separate arguments; each returns a tuple of tensors.
        heads: N modules, which take what their stage returned and give logits (B, K).
        confidence: name of the score by which an image leaves, see ``[route] score``.
        weights: (N,) weights of the exits' losses; default: 1 each.
        frozen: whether the early heads learn without changing what they read: the rest of the network is trained as if
            it had no early exits.
    """

    def __init__(
        self,
        stages: Iterable[nn.Module],
        heads: Iterable[nn.Module],
        confidence: str = "max_softmax",
        weights: Sequence[float] | None = None,
        *,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.stages, self.heads = nn.ModuleList(stages), nn.ModuleList(heads)
        if len(self.stages) != len(self.heads) or not self.heads:
            raise ValueError(f"{len(self.stages)} stages and {len(self.heads)} heads: there must be as many of each.")
        self.confidence = confidence
        self.weights = tuple(weights) if weights is not None else (1.0,) * len(self.heads)
        if len(self.weights) != len(self.heads):
            raise ValueError(f"{len(self.weights)} weights of losses for {len(self.heads)} exits.")
        self.frozen = frozen

    def __len__(self) -> int:
        """The number of exits."""
        return len(self.heads)

    def exits(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the logits (B, K) of one exit after the other; what comes after the last one taken is not computed."""
        state: tuple[Tensor, ...] = (images,)
        last = len(self) - 1
        for number, (stage, head) in enumerate(zip(self.stages, self.heads, strict=True)):
            state = stage(*state)
            apart = self.frozen and self.training and number < last
            yield head(*(each.detach() for each in state)) if apart else head(*state)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (B, 3, H, W) in [0, 1] to the logits (B, K) of all N exits."""
        return tuple(self.exits(images))


def count_exits(network: ExitNet, image: Tensor) -> tuple[int, ...]:
    """Count the multiply-accumulates of an image (1, 3, H, W) that leaves at each of the N exits, while they run."""
    counted = []
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        for _ in network.exits(image):
            counted.append(int(counter.get_total_flops()) // 2)
    return tuple(counted)
