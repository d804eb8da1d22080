"""TensorRT on a graphics card of NVIDIA: the split form, whose engines are built on the device"""

from __future__ import annotations

from duonas.deploy.split_form import split_files
from duonas.deploy.target import Job, Target
from duonas.runtime.engines.tensorrt import TensorRt

SCRIPT = "build_tensorrt.py"
BUILD = '''"""Build the TensorRT engines of this bundle, on the device that will run them: python build_tensorrt.py"""

from pathlib import Path

from duonas.runtime.engines.tensorrt import build

if __name__ == "__main__":
    build(Path(__file__).resolve().parent)
'''


class TensorRtTarget(Target):
    """Writes the split form, and a script that builds the engines on the device: they run on no other."""

    engine = TensorRt
    untested = "no graphics card where duonas is made; its code ran with the processor in the place of the card"

    def files(self, job: Job) -> dict[str, bytes]:
        """Return the parts, their manifest and the script."""
        return split_files(job.parts, job.options.buckets) | {SCRIPT: BUILD.encode()}
