"""Static networks: timm's, fitted to small images, trained and measured as everything else (paper D, section 4.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import torch
from torch import Tensor, nn

from duonas.core.errors import DuonasError, nearest
from duonas.costs.hooks import count_macs
from duonas.data.batches import evaluation_batches
from duonas.data.images import Images
from duonas.layers.blocks import Input

NETWORKS = ("mobilenetv3_small_100", "mobilenetv3_large_100", "efficientnet_b0")  # those of paper D
SMALLEST_MAP = 3  # side of the last feature map, in pixels
PROBE = 64  # pixels: enough to tell five halvings apart
EVALUATION_BATCH = 250

_Strided = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d


@dataclass(frozen=True)
class StaticResult:
    """What a static network reaches on the test split; accuracy in [0, 1], MACs of one image."""

    name: str
    accuracy: float
    macs: int
    params: int
    epochs: int


def check_networks(names: Iterable[str]) -> None:
    """Refuse names that timm does not know.

    Raises:
        DuonasError: one of them, with the nearest that there is.
    """
    import timm

    known = timm.list_models()
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            raise DuonasError(f"[baselines] networks: timm has no {name!r}: {nearest(name, near or NETWORKS)}.")


def static_network(
    name: str, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float], rng: np.random.Generator
) -> nn.Sequential:
    """A network of timm with fresh weights, for images (B, 3, H, W) in [0, 1]; nothing is downloaded.

    timm's networks are drawn for 224 pixels and halve the map five times. Of a smaller image that would leave next to
    nothing, so the earliest halvings are taken out until the last map is at least 3 pixels wide: the stem's at 64
    pixels, one more at 32 (the usual CIFAR stem). Weights start as timm starts them.

    Args:
        name: as timm calls it.
        classes: K, of the logits (B, K).
        image_size: side H in pixels.
        mean: of the training images, per channel, in [0, 1]; they are normalised inside.
        std: likewise.
        rng: where the weights come from.

    Raises:
        DuonasError: timm has no such network, or it cannot take images of this size.
    """
    import timm

    check_networks([name])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        network = timm.create_model(name, pretrained=False, num_classes=classes)
    try:
        _keep_resolution(network, image_size)
        whole = nn.Sequential(Input(mean, std, image_size), network)
        count_macs(whole, torch.zeros(1, 3, image_size, image_size))
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DuonasError(f"timm's {name} cannot take images of {image_size} x {image_size}: {reason}.") from error
    return whole


def measure_static(name: str, network: nn.Module, test: Images, epochs: int) -> StaticResult:
    """The one look at the test split, on the device where its images are; the MACs are those that really ran."""
    network.eval()
    with torch.inference_mode():
        answers = [network(batch).argmax(1) for batch in evaluation_batches(test.pixels, EVALUATION_BATCH)]
        accuracy = float((torch.cat(answers) == test.labels).float().mean())
    image = next(evaluation_batches(test.pixels[:1], 1))
    params = sum(value.numel() for value in network.parameters())
    return StaticResult(name, accuracy, count_macs(network, image), params, epochs)


def _keep_resolution(network: nn.Module, image_size: int) -> None:
    """Take the earliest strides out, as many as the last map needs to be ``SMALLEST_MAP`` wide."""
    halvings = _halvings(network)
    while halvings and -(-image_size // 2 ** len(halvings)) < SMALLEST_MAP:
        for module in halvings.pop(0):
            module.stride = (1, 1)


def _halvings(network: nn.Module) -> list[list[_Strided]]:
    """The strided layers by the size of the map that they halve, largest first: those side by side go together."""
    found: dict[int, list[_Strided]] = defaultdict(list)

    def note(module: _Strided, inputs: tuple[Tensor, ...]) -> None:
        found[inputs[0].shape[-1]].append(module)

    layers = [m for m in network.modules() if isinstance(m, _Strided)]
    hooks = [m.register_forward_pre_hook(note) for m in layers if m.stride in (2, (2, 2))]
    try:
        network.eval()
        with torch.inference_mode():
            network(torch.zeros(1, 3, PROBE, PROBE))
    finally:
        for hook in hooks:
            hook.remove()
    return [found[side] for side in sorted(found, reverse=True)]
