"""What duonas ships, by kind and name, with one line each. Names come from the types of the options."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from duonas.core.options import (
    DataOptions,
    FinetuneOptions,
    LearnedOptions,
    LossOptions,
    PairOptions,
    RouteOptions,
    SearchOptions,
    SpaceOptions,
    TrainOptions,
)
from duonas.recipe.schema import headline, shipped

# Where the allowed names of a kind stand: options and the field whose Literal lists them.
FIELDS: dict[str, tuple[type, str]] = {
    "data set": (DataOptions, "name"),
    "store": (DataOptions, "store"),
    "batch norm": (SpaceOptions, "norm"),
    "weights": (SpaceOptions, "weights"),
    "coupling": (PairOptions, "coupling"),
    "training rule": (TrainOptions, "rule"),
    "many processes": (TrainOptions, "processes"),
    "soft gate": (LossOptions, "gate"),
    "search strategy": (SearchOptions, "strategy"),
    "search order": (SearchOptions, "order"),
    "fine-tuning": (FinetuneOptions, "mode"),
    "score": (RouteOptions, "score"),
    "statistic": (RouteOptions, "statistic"),
    "training signal": (LearnedOptions, "signal"),
    "refinement": (LearnedOptions, "refine"),
}
SPACES = {
    "mobilenet": "MobileNetV3-style inverted residuals: width, depth, kernel, expansion, resolution",
    "nasbench201": "cells of six edges with one of five operations each: 15,625 topologies",
    "uib": "MobileNetV4's universal inverted bottlenecks: four forms of block, width, depth, resolution",
}
PRESETS = {
    "digits": "8 x 8 images, two stages",
    "cifar-small": "32 x 32 images, strides early: 1 to 15M MACs",
    "cifar": "32 x 32 images: 5 to 100M MACs",
    "imagenet": "224 x 224 images, MobileNetV3-Large's outline",
    "nasbench201": "nasbench201: the benchmark's 16 channels, 5 cells a stage",
    "nasbench201-small": "nasbench201: 8 channels, 1 cell a stage",
    "uib-digits": "uib: 8 x 8 images, two stages",
    "uib-cifar": "uib: 32 x 32 images: 6 to 58M MACs",
    "uib": "uib: 224 to 320 pixels, paper T's seven stages, with KHyper-S, -M and -L by name",
}
ROUTERS = {
    "confidence": "trusts little by a score of its own logits, temperature-scaled; costs nothing",
    "learned": "a small network on the stem's maps, the images or little's logits, taught by right and wrong",
    "difficulty": "trusts little with calm images or maps: by entropy, variance, sparsity or edges; costs nothing",
    "window": "as confidence, but big is skipped too where little is hopelessly unsure",
    "random": "draws lots, the same for the same image: what the others must beat",
}
BASELINES = {
    "mobilenetv3_small_100": "MobileNetV3-Small, with a stem for small images",
    "mobilenetv3_large_100": "MobileNetV3-Large, likewise",
    "efficientnet_b0": "EfficientNet-B0, likewise; any other of timm's convolutional classifiers by its name",
}
LINES = {
    "digits": "1,797 handwritten digits of 8 x 8, bundled with scikit-learn",
    "cifar10": "60,000 images of 32 x 32 in 10 classes; downloaded, or Parquet shards at path",
    "cifar100": "60,000 images of 32 x 32 in 100 classes; downloaded, or Parquet shards at path",
    "folder": "your own images: one subfolder a class at path",
    "memory": "all images at once, on the device that trains: the fastest",
    "disk": "decoded once into a file, and read a batch at a time: for more images than fit into memory",
    "recalibrated": "statistics measured anew for every subnet, on training images",
    "switchable": "its own weights and statistics for every width, as they were trained",
    "both": "its own weights for every width, statistics measured anew for every subnet",
    "shared": "one set for all archs",
    "kshot": "a dictionary of kernels for every convolution, mixed by what the arch says (K-shot NAS)",
    "kshot-hypernet": "made for each arch, from a dictionary and from what the arch says (Kshot-Hypernet)",
    "nested": "little's weights are a part of big's",
    "sibling": "two towers with weights of their own behind one stem",
    "partial": "the stages up to a searched split are shared, then little branches off",
    "sandwich": "largest, smallest and random archs each step, with in-place distillation (BigNAS)",
    "cotrain": "whole pairs: labels for both, big teaches little, the router and the budget in the loss",
    "uniform": "one random arch each step, on labels alone (single path one-shot)",
    "fair": "one path for each operation and step, all of them once on every edge (FairNAS)",
    "focus-fair": "fair paths of good operations, on the soft labels of all operations mixed (Kshot-Hypernet)",
    "progressive": "the largest first, then kernels, depths and widths become elastic (Once-for-All)",
    "hybrid": "progressive for a part of the run, then the sandwich",
    "images": "each takes its own rows of every batch: the weights of one process",
    "subnets": "each takes the whole batch with subnets of its own (GHN-3, Kshot-Hypernet)",
    "soft gate: margin": "cotrain's gate is little's margin: the router's loss trains little itself",
    "soft gate: learned": "a small network on little's logits that trains itself alone: the learned router's start",
    "nsga2": "evolution of the Pareto set (pymoo's NSGA-II)",
    "evolution": "mutation and crossover of the most accurate within the constraints (single path one-shot, paper T)",
    "random": "pairs drawn at random: the baseline of any search",
    "search order: joint": "little and big together",
    "sequential": "big first, by itself, then the best little for it",
    "none": "the pair straight from the supernet",
    "fine-tuning: joint": "both networks trained on together, little on labels and on big's predictions",
    "scratch": "the same from fresh weights",
    "independent": "the same two archs trained apart from fresh weights, nothing shared: the baseline of co-training",
    "max_softmax": "the highest probability",
    "margin": "the highest probability less the second",
    "entropy": "how far the probabilities are from even",
    "logit_margin": "the highest logit less the second",
    "energy": "the logarithm of the sum of the exponentiated logits",
    "statistic: entropy": "how evenly the values of the image, or of the stem's map, are spread",
    "variance": "how far they lie apart",
    "sparsity": "how few of them hold all there is",
    "edges": "how much neighbours differ",
    "training signal: oracle": "who is right: big only where little is wrong and big is right",
    "training signal: entropy": "how sure little is, for a router that stands before it",
    "loss": "by how much big's loss is below little's",
    "refinement: none": "the first training is all",
    "straight-through": "hard decisions with the gradients of soft ones",
    "gumbel": "soft decisions with noise (Gumbel-Softmax)",
    "reinforce": "drawn decisions, rewarded (REINFORCE with a baseline)",
    "best": "the one with the largest area under the trade-off curve, on calib",
}


def catalogue() -> list[tuple[str, str, str]]:
    """Rows of kind, name and what it is."""
    rows = [("recipe", name, headline(name)) for name in shipped()]
    rows += [("search space", name, line) for name, line in SPACES.items()]
    rows += [("preset", name, line) for name, line in PRESETS.items()]
    rows += [
        (kind, name, LINES.get(f"{kind}: {name}") or LINES[name])
        for kind, field in FIELDS.items()
        for name in _choices(*field)
    ]
    rows += [("router", name, line) for name, line in ROUTERS.items()]
    return rows + [("static baseline", name, line) for name, line in BASELINES.items()]


def _choices(options: type, field: str) -> tuple[Any, ...]:
    return get_args(get_type_hints(options)[field])
