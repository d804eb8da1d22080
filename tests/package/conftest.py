from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import duonas
from duonas.core.extras import FULL

WITHOUT_FULL = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, {source!r})
"""


@pytest.fixture(scope="session")
def without_full():
    """Runs code with arguments in a fresh interpreter that finds no package of the extra ``full``."""
    before = WITHOUT_FULL.format(names=sorted(FULL), source=str(Path(duonas.__file__).parents[1]))

    def run(code, *arguments):
        command = [sys.executable, "-c", before + code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)

    return run
