"""The duonas command, except that process 1 of several is killed at the given step of its training."""

from __future__ import annotations

import os
import signal
import sys

from duonas.cli.app import main
from duonas.data.batches import Batches

last = int(sys.argv.pop(1))
batch = Batches.batch


def batch_or_death(self, step):
    if step == last and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return batch(self, step)


Batches.batch = batch_or_death
main()
