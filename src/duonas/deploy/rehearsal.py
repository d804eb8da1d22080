"""Try a user's own router on random data before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duonas.core.errors import DuonasError
from duonas.core.rng import stream
from duonas.deploy.export import export_score
from duonas.routing.router import Answers, Router, read_router, write_router

IMAGES = 64


def rehearse(router: Router, shape: tuple[int, ...], classes: int, *, device: torch.device, opset: int) -> None:
    """Call every method of a router as a run does after training: describe, fit, judge, save, load and export.

    Args:
        router: a router that is not fitted yet.
        shape: shape of its input for one image: (3, H, W), (C, H', W') or (K,).
        classes: number K of classes.
        device: device of ``describe``; the other methods run on the CPU.
        opset: ONNX opset version.

    Raises:
        DuonasError: a method fails or returns an unusable value; the message names the method and what is expected.
    """
    answers = made_up(classes)
    logits = router.position == "after_little"
    drawn = answers.little if logits else stream(0, "rehearsal", "seen").random((IMAGES, *shape), dtype=np.float32)
    seen = torch.from_numpy(drawn).to(device)
    described = _described(router, seen)
    index = np.arange(IMAGES)
    taught = _Method(router, "fit", f"return a router for features {tuple(described.shape)} and answers")
    fitted = taught(lambda: router.fit(described[index], answers, stream(0, "rehearsal", "fit")), _no_router)
    score = _Method(fitted, "judge", f"turn {tuple(described.shape)} into {IMAGES} finite scores, ({IMAGES},)")(
        lambda: _still(fitted.judge, described), lambda found: _unlike(found, (IMAGES,)) or _not_float32(found)
    )
    _Method(fitted, "judge", "score every image by itself")(
        lambda: _still(fitted.judge, described[:1]), lambda found: _other(found, score[:1])
    )
    _Method(fitted, "to_json", "return JSON from which from_json builds a router with the same scores")(
        lambda: _still(read_router(json.loads(json.dumps(write_router(fitted)))).judge, described),
        lambda found: None if torch.equal(found, score) else "its scores differ",
    )
    exported = _Method(fitted, "score", "consist of torch operations that ONNX has, with a dynamic batch size")
    exported(lambda: export_score(fitted, seen.cpu(), opset), lambda found: None)


@dataclass(frozen=True)
class _Method:
    """A method of a router, and what it must do."""

    router: Router
    name: str
    must: str

    def __call__(self, call: Callable[[], Any], objection: Callable[[Any], str | None]) -> Any:
        """Return the result of a call, or raise a ``DuonasError`` if it fails or there is an objection."""
        cause = None
        try:
            found = call()
            wrong = objection(found)
        except (Exception, SystemExit) as error:  # a user's file can fail in any way
            said = str(error).strip().partition("\n")[0].rstrip(".")
            cause, wrong = error, f"it failed with {type(error).__name__}" + (f": {said}" if said else "")
        if wrong is not None:
            part = self.router.own or f"router {self.router.name}"
            raise DuonasError(f"{part}: {self.name} must {self.must}; on {IMAGES} random images {wrong}.") from cause
        return found


def _described(router: Router, seen: Tensor) -> Tensor:
    """Return the features (64, D) float32 in the way a run computes them on the calib split."""
    shape = tuple(seen.shape)
    method = _Method(router, "describe", f"turn {shape} into finite numbers, ({IMAGES}, D)")
    described = method(lambda: _still(router.describe, seen), lambda found: _unlike(found, (IMAGES, "D")))
    alone = (1, described.shape[1])
    one = _Method(router, "describe", f"turn one image, {(1, *shape[1:])}, into {alone}")
    one(lambda: _still(router.describe, seen[:1]), lambda found: _unlike(found, alone))
    _Method(router, "describe", "describe every image by itself")(
        lambda: _still(router.describe, seen[:1]), lambda found: _other(found, described[:1])
    )
    with torch.inference_mode():
        return torch.cat([described.float().cpu()])


def made_up(classes: int) -> Answers:
    """Return random predictions of a little that is correct on half of the images, and of a big that is on most."""
    rng = stream(0, "rehearsal", "answers")
    labels = rng.integers(0, classes, IMAGES)
    sides = np.eye(classes)[labels]
    little, big = (4 * sides * (rng.random((IMAGES, 1)) < right) + rng.normal(size=sides.shape) for right in (0.5, 0.9))
    return Answers(little.astype(np.float32), big.astype(np.float32), labels)


def _other(found: Any, among: Tensor) -> str | None:
    """Return that the values of one image alone differ from its values among others; else ``None``."""
    wrong = _unlike(found, tuple(among.shape))
    if wrong is None and not torch.allclose(found.float(), among.float(), rtol=1e-3, atol=1e-4):
        wrong = "the first has other values alone than among the others"
    return wrong


def _not_float32(found: Tensor) -> str | None:
    return None if found.dtype == torch.float32 else f"it returned {str(found.dtype).removeprefix('torch.')} values"


def _still(call: Callable[[Tensor], Any], argument: Tensor) -> Any:
    """Call a method of a router, which must leave its argument as it is."""
    with torch.inference_mode():
        before = argument.clone()
        found = call(argument)
        if not torch.equal(before, argument):
            raise ValueError("its argument was changed in place")
        return found


def _unlike(found: Any, shape: tuple[int | str, ...]) -> str | None:
    """Return how a value differs from a finite tensor of this shape, where ``"D"`` is any size; else ``None``."""
    if not isinstance(found, Tensor):
        return f"it returned {_kind(found)}, not a tensor"
    fits = found.ndim == len(shape) and all(want in ("D", have) for want, have in zip(shape, found.shape, strict=True))
    if not fits:
        return f"it returned {tuple(found.shape)}"
    return None if torch.isfinite(found.float()).all() else "it returned numbers that are not finite"


def _no_router(found: Any) -> str | None:
    return None if isinstance(found, Router) else f"it returned {_kind(found)}"


def _kind(found: Any) -> str:
    return "None" if found is None else f"a {type(found).__name__}"
