"""Distillation from a larger network, to both little and big (Hinton et al. 2015, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from duonas.core.fields import Count, Location, NotNegative
from duonas.training.teachers import FrozenNetwork, load_teacher
from duonas.training.term import PairBatch, Term


class Teacher(Term):
    """``D(little, teacher) + D(big, teacher)``, by the divergence and the temperature of the distillation from big.

    The teacher sees the images as they are varied for the pair, at its own size and with its own normalisation. It is
    frozen and in eval mode, and must know the same classes in the same order.
    """

    @dataclass(frozen=True)
    class Options:
        """Keys of ``[finetune.loss]``."""

        teacher: str | None = None
        """A network of timm that teaches both networks, such as "resnet50": with the weights of teacher_file, or else
        with timm's own, which are downloaded once."""
        teacher_file: Annotated[str | None, Location(content=True)] = None
        """The teacher's weights (.safetensors, .pth, .pt); without teacher, a whole network: an .onnx file that takes
        RGB in [0, 1], or the big.safetensors in another run's folder pair."""
        teacher_size: Count | None = None
        """Side in pixels of the images that the teacher sees; default: its own."""
        teacher_weight: NotNegative = 1.0
        """Weight of the distillation from the teacher."""

    _network: FrozenNetwork | None = None
    _seen: tuple[Tensor, Tensor] | None = None

    @property
    def weight(self) -> float:
        """``teacher_weight``, if there is a teacher."""
        given = self.options.teacher is not None or self.options.teacher_file is not None
        return float(self.options.teacher_weight) if given else 0.0

    def check(self, class_names: Sequence[str], image_size: int) -> None:
        """Load the teacher, and let it classify two black images.

        Raises:
            DuonasError: there is no such network, its weights do not fit, or it has other classes.
        """
        self._loaded(len(class_names)).check(class_names, image_size)

    def __call__(self, batch: PairBatch) -> Tensor:
        """Return the mean loss of a batch."""
        soft = self._logits(batch.images, batch.little.shape[1])
        return batch.taught(batch.little, soft) + batch.taught(batch.big, soft)

    def _logits(self, images: Tensor, classes: int) -> Tensor:
        """Return the teacher's logits (B, K), computed once for all pairs of a step."""
        if self._seen is None or self._seen[0] is not images:
            self._seen = images, self._loaded(classes)(images)
        return self._seen[1]

    def _loaded(self, classes: int) -> FrozenNetwork:
        if self._network is None:
            options = self.options
            self._network = load_teacher(options.teacher, options.teacher_file, classes, options.teacher_size)
        return self._network
