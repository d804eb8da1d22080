"""The self-test of a bundle: stored images, and what both networks must answer on them.

``golden.npz`` lies beside ``dynamic.onnx``. Its answers are those of PyTorch where the pair was exported; another
runtime, processor or precision may round otherwise, but not compute otherwise.
"""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .bundle import Bundle
from .errors import BundleError, one_line
from .files import GOLDEN, MOST_GOLDEN, check_file, read

TOLERANCE = (
    1e-3  # largest difference of a logit or score, as a fraction of the largest of them, or of 1 if that is more
)
CLOSE = 1e-4  # scores that are nearer to tau may be decided either way


@dataclass(frozen=True)
class Golden:
    """Stored images and the answers of both networks.

    Args:
        images: (N, 3, H, W) uint8.
        little: logits (N, K) float32 of little.
        big: logits (N, K) float32 of big.
        score: (N,) float32 scores of the router, higher = keep little.
    """

    images: np.ndarray
    little: np.ndarray
    big: np.ndarray
    score: np.ndarray

    def save(self, path: Path) -> None:
        """Write the file, compressed; the same content gives the same bytes."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, array in asdict(self).items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
                file.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class SelfTest:
    """What a self-test found.

    Args:
        images: number of stored images.
        largest_difference: between a logit or score of this runtime and the stored one.
        tolerance: the largest difference that is allowed.
        near_tau: number of images decided otherwise whose score is so near to tau that either decision is right.
    """

    images: int
    largest_difference: float
    tolerance: float
    near_tau: int

    @property
    def sentence(self) -> str:
        """Says that the test was passed, and how well."""
        return (
            f"Self-test passed: on {self.images} stored images no logit or score differs by more than "
            f"{self.largest_difference:.2g} (allowed: {self.tolerance:.2g}), and all decisions are the same."
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value."""
        return asdict(self)


def load_golden(folder: Path, checksums: dict[str, str]) -> Golden | None:
    """Read ``golden.npz`` of a bundle; ``None`` where it was exported without, or came to the device without.

    Args:
        folder: of the bundle.
        checksums: SHA-256 of each exported file by its name, from the policy.

    Raises:
        BundleError: the file is another one, or damaged.
    """
    path = folder / GOLDEN
    if GOLDEN not in checksums or not path.exists():  # a bundle runs without
        return None
    check_file(path, MOST_GOLDEN, checksums)
    try:
        with zipfile.ZipFile(io.BytesIO(read(path, MOST_GOLDEN))) as file:
            if sum(each.file_size for each in file.infolist()) > MOST_GOLDEN:
                raise ValueError(f"it unpacks to more than {MOST_GOLDEN:,} bytes")
            arrays = {name: _array(file, name) for name in ("images", "little", "big", "score")}
        return _checked(Golden(**arrays))
    except Exception as error:  # zipfile and numpy fail with many types where somebody made the file on purpose
        raise BundleError(f"{path} is damaged: {one_line(error) or type(error).__name__}.") from error


def self_test(bundle: Bundle, golden: Golden) -> SelfTest:
    """Compare a bundle's answers on the stored images with those that it must give, as a batch and one by one.

    Its threshold is turned to ask each network in turn, and is then as it was before.

    Raises:
        BundleError: an answer differs by more than the tolerance, or a decision does; the message gives the largest
            difference.
    """
    tau, found = bundle.tau, {}
    try:
        for name, at in (("little", -np.inf), ("big", np.inf)):
            bundle.tau = at
            found[name] = bundle.predict(golden.images)
            single = [bundle.predict(golden.images[row : row + 1]).logits for row in range(len(golden.images))]
            _compare(f"{name}'s logits", found[name].logits, getattr(golden, name))
            _compare(f"{name}'s logits one image at a time", np.concatenate(single), getattr(golden, name))
        _compare("the router's score", found["little"].score, golden.score)
        bundle.tau = tau
        kept = bundle.predict(golden.images).is_little
    finally:
        bundle.tau = tau
    differing = kept != (golden.score >= np.float32(tau))
    wrong = differing & (np.abs(golden.score - np.float32(tau)) >= CLOSE)
    if wrong.any():
        raise BundleError(
            f"this runtime decides {int(wrong.sum())} of {len(kept)} stored images otherwise, although their scores "
            "are the same: its comparison with tau cannot be trusted."
        )
    pairs = [(found[name].logits, getattr(golden, name)) for name in ("little", "big")]
    pairs.append((found["little"].score, golden.score))
    apart, allowed = max((_difference(*pair), _tolerance(pair[1])) for pair in pairs)
    return SelfTest(len(golden.images), apart, allowed, int(differing.sum()))


def _compare(what: str, found: np.ndarray, expected: np.ndarray) -> None:
    if found.shape != expected.shape:
        raise BundleError(f"{what} have the shape {found.shape}, but those in {GOLDEN} {expected.shape}.")
    apart, allowed = _difference(found, expected), _tolerance(expected)
    if not apart <= allowed:  # true for NaN, too
        raise BundleError(
            f"this runtime computes something else than what was exported: on {len(expected)} stored images {what} "
            f"differs by up to {apart:.3g}, but at most {allowed:.2g} is allowed (0.1 % of the largest)."
        )


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    same = found == expected  # also infinite ones
    with np.errstate(invalid="ignore"):
        return float(np.where(same, 0.0, np.abs(found.astype(np.float64) - expected)).max())


def _tolerance(expected: np.ndarray) -> float:
    finite = np.abs(expected[np.isfinite(expected)])
    return TOLERANCE * max(1.0, float(finite.max(initial=0.0)))


def _array(file: zipfile.ZipFile, name: str) -> np.ndarray:
    about = file.getinfo(f"{name}.npy")
    with file.open(about) as member:
        data = io.BytesIO(member.read(MOST_GOLDEN))
    head = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, kind = head[np.lib.format.read_magic(data)](data)
    if (
        not kind.hasobject and math.prod(shape) * kind.itemsize != len(data.getbuffer()) - data.tell()
    ):  # before memory for it is asked for
        raise ValueError(f"{name} is not as large as it says")
    data.seek(0)
    found: np.ndarray = np.lib.format.read_array(data, allow_pickle=False)
    return found


def _checked(golden: Golden) -> Golden:
    """Return the same, or raise ``ValueError`` if its arrays do not belong together."""
    count, types = len(golden.images), [each.dtype for each in (golden.little, golden.big, golden.score)]
    shapes = golden.little.shape, golden.big.shape, golden.score.shape[:1]
    if golden.images.dtype != np.uint8 or golden.images.ndim != 4 or types != [np.float32] * 3:
        raise ValueError("expected images as uint8 (N, 3, H, W), and answers as float32")
    if count == 0 or golden.little.ndim != 2 or shapes[0] != shapes[1] or {shape[0] for shape in shapes} != {count}:
        raise ValueError("its arrays are of different lengths")
    return golden
