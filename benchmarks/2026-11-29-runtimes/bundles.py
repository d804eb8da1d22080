"""Export untrained pairs: neither the agreement of runtimes nor the time depends on what networks have learned.

    python bundles.py FOLDER [NAME ...]

FOLDER/margin, learned, input, apart: little's margin and a learned router (which needs TopK) after little, a router at
the image, and a pair without a stem; 32 x 32. FOLDER/large: 224 x 224. All have the split form, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from duonas.core.arch import Arch
from duonas.core.couplings import pair_space
from duonas.core.pair import PairArch
from duonas.core.rng import stream
from duonas.deploy.bundle import export_bundle
from duonas.deploy.options import ExportOptions
from duonas.layers.norm import recalibrate
from duonas.pair.facts import PairFacts
from duonas.pair.pair import Pair
from duonas.recipe.schema import options_for
from duonas.routing.route import decide, fit
from duonas.routing.routed import Observed, seen
from duonas.routing.router import Answers, Router
from duonas.routing.routers.confidence import Confidence
from duonas.routing.routers.difficulty import Difficulty
from duonas.routing.routers.learned import Learned
from duonas.spaces.mobilenet import PRESETS, MobileNet
from duonas.supernet.family import build_space, build_supernet
from duonas.supernet.pair import PairSupernet

CLASSES = 10


def pictures(count: int, side: int) -> torch.Tensor:
    """(count, 3, side, side) of all contrasts and colours."""
    rng = np.random.default_rng(0)
    noise = rng.random((count, 3, side, side)) * rng.random((count, 1, 1, 1)) + rng.random((count, 3, 1, 1)) * 0.5
    return torch.from_numpy(np.clip(noise, 0, 1).astype(np.float32))


def untrained(preset: str, images: torch.Tensor) -> Pair:
    """A pair of a small and a large arch, with statistics of its batch norms and logits of some size."""
    options = MobileNet.Options(preset=preset)
    space = build_space(MobileNet, options, PRESETS[preset].image_size, CLASSES)
    supernet = build_supernet(MobileNet, space, [0.5] * 3, [0.3] * 3, stream(0, "weights"), options)
    coupled = PairSupernet(pair_space(space, "nested"), supernet).eval()
    least, most = space.smallest(), space.largest()
    choices = tuple((axis, most[axis] if axis == "resolution" else least[axis]) for axis, _ in least.choices)
    pair = coupled.extract_pair(
        PairArch(Arch(least.space, choices), most)
    )  # at one resolution, so that a stem is shared
    for tower in pair.towers().values():
        recalibrate(tower, [images])
        last = [module for module in tower.modules() if isinstance(module, nn.Linear)][-1]
        with torch.no_grad():
            last.weight.normal_(0, 1, generator=torch.Generator().manual_seed(len(list(tower.modules()))))
    return pair.eval()


def without_stem(pair: Pair) -> Pair:
    little, big = pair.towers().values()
    facts = PairFacts(**(vars(pair.facts) | {"shared": 0}))
    return Pair(None, little, big, facts).eval()


def export(pair: Pair, router: Router, images: torch.Tensor, folder: Path) -> None:
    with torch.no_grad():
        output = pair(images)
    options = options_for("route", share=0.6)
    labels = torch.where(torch.arange(len(images)) % 4 == 0, output.little.argmax(1), output.big.argmax(1)).numpy()
    answers = Answers(output.little.numpy(), output.big.numpy(), labels)
    observed = Observed(router.describe(seen(router, images, output)), answers)
    policy = decide(*fit(router, observed, pair.facts, seed=0), options)
    stored = (images[:32] * 255).to(torch.uint8)
    print(
        export_bundle(pair, policy, folder, ExportOptions(targets=("split",)), stored),
        policy.router.name,
        f"tau {policy.tau:.4g}",
    )


def main() -> None:
    folder, asked = Path(sys.argv[1]), set(sys.argv[2:])
    images = pictures(400, PRESETS["cifar"].image_size)
    pair = untrained("cifar", images)
    small = {
        "margin": (pair, Confidence()),
        "learned": (pair, Learned(position="after_little")),
        "input": (pair, Difficulty(position="input")),
        "apart": (without_stem(pair), Confidence()),
    }
    for name, (each, router) in small.items():
        if not asked or name in asked:
            export(each, router, images, folder / name)
    if not asked or "large" in asked:
        images = pictures(40, PRESETS["imagenet"].image_size)
        export(untrained("imagenet", images), Confidence(), images, folder / "large")


if __name__ == "__main__":
    main()
