"""A user's own router on made-up images, before what it is to route is trained."""

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
from duonas.routing.router import Answers, Router
from duonas.routing.routers.make import read_router, write_router

IMAGES = 64


def rehearse(router: Router, shape: tuple[int, ...], classes: int, *, device: torch.device, opset: int) -> None:
    """Have a router describe, fit, judge, be written and exported, as a run does when all else is trained.

    Args:
        router: not fitted.
        shape: of what it sees of one image: (3, H, W), (C, H', W') or (K,).
        classes: K.
        device: where it describes; all else is done on the CPU.
        opset: of ONNX.

    Raises:
        DuonasError: a method fails, or gives what cannot be used; the message names both, and what was expected.
    """
    answers = _made_up(classes)
    logits = router.position == "after_little"
    drawn = answers.little if logits else stream(0, "rehearsal", "seen").random((IMAGES, *shape), dtype=np.float32)
    seen = torch.from_numpy(drawn).to(device)
    described = _described(router, seen)
    index = np.arange(IMAGES)
    taught = _Method(router, "fit", f"give a router for what it described, {tuple(described.shape)}, and answers")
    fitted = taught(lambda: router.fit(described[index], answers, stream(0, "rehearsal", "fit")), _no_router)
    score = _Method(fitted, "judge", f"turn {tuple(described.shape)} into {IMAGES} finite scores, ({IMAGES},)")(
        lambda: _still(fitted.judge, described), lambda found: _unlike(found, (IMAGES,))
    )
    _Method(fitted, "to_json", "give JSON of which from_json makes a router of the same scores")(
        lambda: _still(read_router(json.loads(json.dumps(write_router(fitted)))).judge, described),
        lambda found: None if torch.equal(found, score) else "its scores are others",
    )
    exported = _Method(fitted, "score", "be torch operations that ONNX has, with a free batch size")
    exported(lambda: export_score(fitted, seen.cpu(), opset), lambda found: None)


@dataclass(frozen=True)
class _Method:
    """A router's method, and what it must do."""

    router: Router
    name: str
    must: str

    def __call__(self, call: Callable[[], Any], objection: Callable[[Any], str | None]) -> Any:
        """What the call gives, if it gives anything and there is no objection."""
        cause = None
        try:
            found = call()
            wrong = objection(found)
        except Exception as error:  # a user's file can fail in any way
            said = str(error).strip().partition("\n")[0].rstrip(".")
            cause, wrong = error, f"it failed with {type(error).__name__}" + (f": {said}" if said else "")
        if wrong is not None:
            raise DuonasError(
                f"router {self.router.name}: {self.name} must {self.must}; on {IMAGES} made-up images {wrong}."
            ) from cause
        return found


def _described(router: Router, seen: Tensor) -> Tensor:
    """(64, D) float32, as the calib split's come."""
    shape = tuple(seen.shape)
    method = _Method(router, "describe", f"turn {shape} into finite numbers, ({IMAGES}, D)")
    described = method(lambda: _still(router.describe, seen), lambda found: _unlike(found, (IMAGES, "D")))
    alone = (1, described.shape[1])
    one = _Method(router, "describe", f"turn one image, {(1, *shape[1:])}, into {alone}")
    one(lambda: _still(router.describe, seen[:1]), lambda found: _unlike(found, alone))
    with torch.inference_mode():
        return torch.cat([described.float().cpu()])


def _made_up(classes: int) -> Answers:
    """Of a little that is right of every second image, and of a big that is right of most."""
    rng = stream(0, "rehearsal", "answers")
    labels = rng.integers(0, classes, IMAGES)
    sides = np.eye(classes)[labels]
    little, big = (4 * sides * (rng.random((IMAGES, 1)) < right) + rng.normal(size=sides.shape) for right in (0.5, 0.9))
    return Answers(little.astype(np.float32), big.astype(np.float32), labels)


def _still(call: Callable[[Tensor], Any], argument: Tensor) -> Any:
    with torch.inference_mode():
        return call(argument)


def _unlike(found: Any, shape: tuple[int | str, ...]) -> str | None:
    """How something is not a tensor of finite numbers of a shape, in which ``"D"`` stands for any number."""
    if not isinstance(found, Tensor):
        return f"it gave {_kind(found)}, no tensor"
    fits = found.ndim == len(shape) and all(want in ("D", have) for want, have in zip(shape, found.shape, strict=True))
    if not fits:
        return f"it gave {tuple(found.shape)}"
    return None if torch.isfinite(found.float()).all() else "it gave numbers that are not finite"


def _no_router(found: Any) -> str | None:
    return None if isinstance(found, Router) else f"it gave {_kind(found)}"


def _kind(found: Any) -> str:
    return "nothing (None)" if found is None else f"a {type(found).__name__}"
