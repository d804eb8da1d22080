"""Check what came to a device: the files of a kit, and what its bundle answers on the stored images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .bundle import Bundle
from .files import GOLDEN, POLICY
from .golden import load_golden, self_test
from .kit import is_kit, open_kit
from .policy import load_policy


def check(folder: Path, threads: int = 0) -> Iterator[str]:
    """Check a kit or a bundle, and say after each step what was found; none of its programs is run.

    Args:
        folder: of the kit or of the bundle.
        threads: CPU threads; 0: as ``Bundle.load``.

    Raises:
        BundleError: a file is another one, cannot be used, or is answered otherwise by this runtime.
    """
    if is_kit(folder):
        kit = open_kit(folder)
        yield f"All {len(kit.files)} files are those that the kit was written with, by duonas {kit.duonas}."
        folder = kit.bundle
    bundle = Bundle.load(folder, threads)
    yield f"{bundle}."
    golden = load_golden(folder, load_policy(folder / POLICY).onnx)
    if golden is None:
        yield f"The answers were not tested, since the bundle has no stored images ({GOLDEN})."
    else:
        yield self_test(bundle, golden).sentence
