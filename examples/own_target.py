"""A target of your own: what a bundle is deployed on, and the engine that runs it there.

    [export]
    targets = ["examples/own_target.py:Reversed"]

    Bundle.load("export", engine=ReversedEngine)

An engine opens a bundle and answers images. This one lets ONNX Runtime see them last to first, and nobody notices.
"""

from __future__ import annotations

from duonas.deploy.target import Target
from duonas.runtime.engine import Answer
from duonas.runtime.engines.onnxruntime import OnnxRuntime


class ReversedEngine(OnnxRuntime):
    """What runs on the device."""

    def run(self, images, tau):
        """Classify images (N, 3, H, W) float32; the results are in their order."""
        return Answer(*(each[::-1] for each in super().run(images[::-1].copy(), tau)))


class Reversed(Target):
    """Adds a note to the bundle."""

    engine = ReversedEngine

    def files(self, job):
        """The files that the device needs beside those of every bundle, by name."""
        return {"note.txt": f"{job.policy.num_classes} classes, last to first\n".encode()}
