"""Check this kit, then measure its bundle on this device: python bench.py --minutes 10 --out bench.json"""

from __future__ import annotations

import sys
from pathlib import Path

from duonas.runtime import BundleError
from duonas.runtime.__main__ import main
from duonas.runtime.kit import open_kit

if __name__ == "__main__":
    try:
        kit = open_kit(Path(__file__).parent)
    except BundleError as error:
        sys.exit(f"bench.py: {error}")
    sys.exit(main(["bench", str(kit.bundle), *sys.argv[1:]]))
