"""The split form: static parts for engines that know no branch, and a router on the host"""

from __future__ import annotations

from duonas.deploy.split_form import split_files
from duonas.deploy.target import Job, Target
from duonas.runtime.engines.split import Split


class SplitTarget(Target):
    """Writes the parts of the pair as ONNX files, and ``split.json``, which says how they belong together."""

    engine = Split

    def files(self, job: Job) -> dict[str, bytes]:
        """Return the parts and their manifest."""
        return split_files(job.parts, job.options.buckets)
