"""The base class of baselines: static networks that are trained and measured like the pair."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from duonas.core.errors import DuonasError
from duonas.core.pair import Role
from duonas.core.plugin import is_plugin
from duonas.core.registry import Part, find, names
from duonas.core.rng import stream
from duonas.costs.count import count_macs
from duonas.data.batches import evaluation_batches
from duonas.data.images import Images
from duonas.exits.network import ExitNet
from duonas.measure.top5 import top5_accuracy

EVALUATION_BATCH = 250
USUAL = "timm"  # the baseline for all names that are not those of parts


@dataclass(frozen=True)
class BaselineResult:
    """The figures of a baseline on the test split: accuracies in [0, 1], MACs of one image.

    The top-5 accuracy is ``None`` where there are no more than ten classes.
    """

    name: str
    accuracy: float
    macs: int
    params: int
    epochs: int
    top5_accuracy: float | None = None


class Baseline(Part, ABC):
    """Builds a network.

    Args:
        network_name: its name in ``[baselines] networks``.
    """

    def __init__(self, network_name: str) -> None:
        self.network_name = network_name

    def check(self) -> None:
        """Check before any training that the network exists.

        Raises:
            DuonasError: there is no such network.
        """

    @abstractmethod
    def build(self, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
        """Build a network from images (B, 3, H, W) in [0, 1] to logits (B, K), with initial weights.

        A network that may stop early is an ``ExitNet``: it gives the logits of each of its exits.

        Args:
            classes: number K of classes.
            image_size: side H of the images in pixels.
            mean: mean of the training images per channel, in [0, 1].
            std: standard deviation of the training images per channel.

        Raises:
            DuonasError: the network does not support images of this size.
        """

    @property
    def role(self) -> Role | None:
        """Which of the pair's networks it is built on, see ``build_on``; ``None``: it is built from nothing."""
        return None

    def build_on(self, network: nn.Sequential, stages: Sequence[int], classes: int, image_size: int) -> nn.Module:
        """Build a network on one of the pair's, as ``build`` does without one.

        Args:
            network: one child for each block, the first of which normalises images, with initial weights.
            stages: of the search space in which each block is.
            classes: number K of classes.
            image_size: side H of the images in pixels.
        """
        raise NotImplementedError

    def network(
        self, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float], rng: np.random.Generator
    ) -> nn.Module:
        """The network that ``build`` gives, whatever is random in it drawn by ``rng``."""
        with drawing(rng):
            return self.build(classes, image_size, mean, std)


@contextmanager
def drawing(rng: np.random.Generator) -> Iterator[None]:
    """A context in which PyTorch's random numbers are drawn by ``rng``."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**63)))
        yield


def find_baseline(name: str) -> Baseline:
    """Return the baseline of a name in ``[baselines] networks``: a shipped or a user's own one, or a network of timm.

    The name of a shipped one may go on with its size, as in ``msdnet-exits7``.

    Raises:
        DuonasError: the user's own baseline cannot be loaded.
    """
    first = name.partition("-")[0]
    kind = name if is_plugin(name) else first if first in shipped_names() else USUAL
    baseline: Baseline = find("baseline", kind)(name)
    return baseline


def shipped_names() -> list[str]:
    """Return the names of the shipped baselines but timm's."""
    return [each for each in names("baseline") if each != USUAL]


def rehearse_baseline(
    baseline: Baseline, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float]
) -> None:
    """Build a network and classify two black images with it, before anything is trained.

    Raises:
        DuonasError: it fails, or its logits have another shape; the message says what is expected.
    """
    wanted = (2, classes)
    try:
        network = baseline.network(classes, image_size, mean, std, stream(0, "rehearsal"))
        with torch.inference_mode():
            found = network.eval()(torch.zeros(2, 3, image_size, image_size))
        shapes = [tuple(each.shape) for each in (found if isinstance(network, ExitNet) else (found,))]
        shape = next((each for each in shapes if each != wanted), wanted)
        wrong = "" if shape == wanted else f"its logits have shape {shape}, expected {wanted}"
    except (Exception, SystemExit) as error:  # a user's file can fail in any way
        said = str(error).strip().partition("\n")[0].rstrip(".")
        raise DuonasError(f"baseline {baseline.network_name}: {type(error).__name__}: {said}.") from error
    if wrong:
        raise DuonasError(f"baseline {baseline.network_name}: {wrong}.")


def measure_baseline(name: str, network: nn.Module, test: Images, epochs: int) -> BaselineResult:
    """Measure a network on the test split, on the device of its images; MACs are counted in a forward pass."""
    network.eval()
    with torch.inference_mode():
        logits = torch.cat([network(batch) for batch in evaluation_batches(test.pixels, EVALUATION_BATCH)])
        accuracy = float((logits.argmax(1) == test.labels).float().mean())
        five = top5_accuracy(logits.cpu().numpy(), test.labels.cpu().numpy())
    image = next(evaluation_batches(test.pixels[:1], 1))
    params = sum(value.numel() for value in network.parameters())
    return BaselineResult(name, accuracy, count_macs(network, image), params, epochs, five)
