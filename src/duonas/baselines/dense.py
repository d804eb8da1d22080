"""Layers that MSDNet and RANet share: convolutions with norms, bottlenecks, the heads of exits."""

from __future__ import annotations

from torch import Tensor, nn

State = tuple[Tensor, ...]


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution without bias, batch norm, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def bottleneck(inputs: int, outputs: int, factor: int, stride: int = 1) -> nn.Sequential:
    """A 1 x 1 convolution to at most ``factor * outputs`` channels, then a 3 x 3 one to ``outputs``."""
    inner = min(inputs, factor * outputs)
    return nn.Sequential(conv_norm(inputs, inner, 1), conv_norm(inner, outputs, 3, stride))


class Chain(nn.Module):
    """Modules in turn, each of which takes and returns several maps."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, *state: Tensor) -> State:
        """Maps (B, C, H, W) to maps."""
        for layer in self.layers:
            state = layer(*state)
        return state


class Head(nn.Module):
    """The classifier of an exit: two strided convolutions, a mean over what is left, a linear layer.

    The authors' mean is over 2 x 2 values, which is all that is left of images of the size that they take.

    Args:
        inputs: channels of the map.
        inner: channels of both convolutions.
        classes: number K of classes.
        place: which of the maps is read.
    """

    def __init__(self, inputs: int, inner: int, classes: int, place: int) -> None:
        super().__init__()
        self.place = place
        self.convolutions = nn.Sequential(conv_norm(inputs, inner, 3, 2), conv_norm(inner, inner, 3, 2))
        self.classifier = nn.Linear(inner, classes)

    def forward(self, *state: Tensor) -> Tensor:
        """Maps (B, C, H, W) to logits (B, K)."""
        logits: Tensor = self.classifier(self.convolutions(state[self.place]).mean((2, 3)))
        return logits


def initialise(network: nn.Module) -> None:
    """Draw the convolutions' weights with He's variance over the fan-out, as the authors of both networks do."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
