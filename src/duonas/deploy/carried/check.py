"""Check the files of this kit, and what this device answers on the stored images: python check.py"""

from __future__ import annotations

import sys
from pathlib import Path

from duonas.runtime.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["check", str(Path(__file__).parent), *sys.argv[1:]]))
