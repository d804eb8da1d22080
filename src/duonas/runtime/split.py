"""The split form of a bundle: its parts as networks of static shapes, and what routes between them on the host.

Engines that cannot run ``dynamic.onnx``, since they know no branch or no number of rows that depends on data, run
its parts, each for a few fixed numbers of rows (buckets), to which rows are padded. The router's score and the decision
stay on the host: ONNX Runtime computes the score from what the part before it gives, and numpy takes the rows apart and
puts them together.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from reprlib import repr as short
from typing import Any, Literal

import numpy as np

from .engine import Answer, Engine, Settings
from .errors import BundleError, one_line
from .files import MOST_MODEL, MOST_ROWS, check_file, read
from .policy import DevicePolicy
from .session import open_session

MANIFEST = "split.json"
MOST_MANIFEST = 2**20  # bytes
VERSION = 1
SCORE = "score"
EXPORT = "export again with [export] targets that name "

PartName = Literal["stem", "little", "big", "score"]
Call = Callable[[np.ndarray], Sequence[np.ndarray]]  # rows (b, ...) to each output (b, ...), for one bucket b


@dataclass(frozen=True)
class Part:
    """A network of the split form.

    Args:
        file: name of its ONNX file, whose input and outputs have a dynamic number of rows.
        reads: ``images``, ``features`` or ``logits``.
        shape: of one row of its input.
        gives: its outputs in order: ``features``, ``logits`` or ``score``.
    """

    file: str
    reads: str
    shape: tuple[int, ...]
    gives: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """What ``split.json`` says.

    Args:
        image: shape (3, H, W) of an image.
        before: whether the router decides before little runs.
        parts: by name. The stem is there where the router decides before little and the networks share one; else
            little gives features beside logits, if they share one.
        buckets: numbers of rows, ascending.
    """

    image: tuple[int, int, int]
    before: bool
    parts: dict[str, Part]
    buckets: tuple[int, ...]

    @property
    def every(self) -> tuple[str, ...]:
        """The parts that see every image, in order."""
        first = ("stem",) if "stem" in self.parts else ()
        return (*first, SCORE) if self.before else ("little", SCORE)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value from which ``load_manifest`` reads an equal manifest."""
        return {"version": VERSION, **asdict(self)}


def load_manifest(folder: Path, policy: DevicePolicy) -> Manifest:
    """Read ``split.json`` of a bundle.

    Raises:
        BundleError: the bundle has no split form, or the file is damaged or another one.
    """
    path = folder / MANIFEST
    if MANIFEST not in policy.onnx:
        raise BundleError(f"{folder} has no split form: {EXPORT}'split'.")
    check_file(path, MOST_MANIFEST, policy.onnx)
    try:
        return _parsed(json.loads(read(path, MOST_MANIFEST)))
    except KeyError as error:
        raise BundleError(f"{path} is damaged: {error.args[0]!r} is missing.") from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path} is damaged: {one_line(error)}.") from error


def _parsed(value: Any) -> Manifest:
    if value["version"] != VERSION:
        raise ValueError(f"expected version {VERSION}, got {short(value['version'])}")
    parts = {name: _part(each) for name, each in value["parts"].items()}
    before, buckets = value["before"], tuple(value["buckets"])
    if not isinstance(before, bool) or not {"little", "big", SCORE} <= parts.keys() <= {"stem", "little", "big", SCORE}:
        raise ValueError(f"the parts must be little, big, score and maybe stem, got {short(sorted(parts))}")
    if not buckets or any(not _whole(each, MOST_ROWS) for each in buckets) or list(buckets) != sorted(set(buckets)):
        raise ValueError(f"the buckets must be ascending numbers of rows, got {short(buckets)}")
    channels, height, width = _shape(value["image"])
    return Manifest((channels, height, width), before, parts, buckets)


def _part(value: Any) -> Part:
    file, reads, gives = value["file"], value["reads"], tuple(value["gives"])
    if not isinstance(file, str) or PurePath(file).name != file:
        raise ValueError(f"{short(file)} must be the name of a file beside it, without folders")
    return Part(file, str(reads), _shape(value["shape"]), tuple(map(str, gives)))


def _shape(value: Any) -> tuple[int, ...]:
    if not all(_whole(side, 2**31) for side in value):
        raise ValueError(f"expected a shape, got {short(value)}")
    return tuple(value)


def _whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most


class SplitEngine(Engine):
    """Runs the parts of the split form, and routes between them; what opens a part is left to each runtime.

    Args:
        folder: of the bundle.
        policy: of the bundle.
        settings: threads, and whether they spin.

    Raises:
        BundleError: a file is missing, damaged or another one, or the bundle has no split form.
    """

    def __init__(self, folder: Path, policy: DevicePolicy, settings: Settings) -> None:
        self.manifest = load_manifest(folder, policy)
        self.image_shape = self.manifest.image
        self.folder, self.settings, self._policy = folder, settings, policy
        self._score = open_session(self.file(self.manifest.parts[SCORE].file), settings.threads)
        self._calls: dict[tuple[str, int], Call] = {}

    @classmethod
    def open(cls, folder: Path, policy: DevicePolicy, settings: Settings) -> SplitEngine:
        """Open the split form; a part is opened for a bucket when it is first needed, see ``warm_up``."""
        return cls(folder, policy, settings)

    @abstractmethod
    def part(self, part: Part, rows: int) -> Call:
        """Open a part for a fixed number of rows.

        Args:
            part: stem, little or big.
            rows: number of rows b of every call.

        Returns:
            A function of rows (b, ...) float32 to the part's outputs (b, ...), in the order of ``part.gives``.

        Raises:
            BundleError: its file is missing, damaged or another one, or this runtime cannot open it.
        """

    def file(self, name: str) -> Path:
        """Return the path of a file of the bundle, after its checksum is compared.

        Raises:
            BundleError: it is missing, or not the one that the policy was exported with.
        """
        if name not in self._policy.onnx:
            raise BundleError(f"{self.folder} has no {name}: {EXPORT}{self.name!r}.")
        return check_file(self.folder / name, MOST_MODEL, self._policy.onnx)

    def warm_up(self) -> None:
        """Open all parts for all buckets, so that no later call has to wait for it."""
        for name in self.manifest.parts:
            for rows in self.manifest.buckets if name != SCORE else ():
                self._call(name, rows)(np.zeros((rows, *self.manifest.parts[name].shape), np.float32))

    def run(self, images: np.ndarray, tau: np.ndarray) -> Answer:
        """Classify images; a network without rows does not run."""
        if len(images) == 0:
            return Answer(
                np.zeros((0, self._policy.num_classes), np.float32), np.zeros(0, np.float32), np.zeros(0, bool)
            )
        known = {"images": images}
        for name in self.manifest.every:
            known |= self._give(name, known)
        score = known[SCORE]
        is_little = (score >= tau) & (tau < np.inf)  # a NaN score goes to big, and so does inf at an infinite tau
        known.setdefault("logits", self._blank(len(images)))
        if self.manifest.before:
            self._fill("little", is_little, known)
        self._fill("big", ~is_little, known)
        return Answer(known["logits"], score, is_little)

    def _blank(self, rows: int) -> np.ndarray:
        return np.zeros((rows, self._policy.num_classes), np.float32)

    def _give(self, name: str, known: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        part = self.manifest.parts[name]
        if name == SCORE:
            entry = self._score.get_inputs()[0].name
            return {SCORE: self._score.run(None, {entry: known[part.reads]})[0]}
        return dict(zip(part.gives, self._rows(name, known[part.reads]), strict=True))

    def _fill(self, name: str, mask: np.ndarray, known: dict[str, np.ndarray]) -> None:
        """Overwrite the logits of some rows by those of a network, which sees these rows only."""
        rows = np.flatnonzero(mask)
        if len(rows):
            part = self.manifest.parts[name]
            (found,) = self._rows(name, known[part.reads][rows])
            known["logits"][rows] = found

    def _rows(self, name: str, values: np.ndarray) -> list[np.ndarray]:
        """Run a part on any number of rows, at least one, by as few calls of its buckets as can be."""
        buckets = self.manifest.buckets
        found = []
        for begin in range(0, len(values), buckets[-1]):
            some = values[begin : begin + buckets[-1]]
            bucket = next(each for each in buckets if each >= len(some))
            padded = some
            if len(some) < bucket:
                padded = np.zeros((bucket, *some.shape[1:]), np.float32)
                padded[: len(some)] = some
            found.append([each[: len(some)] for each in self._call(name, bucket)(np.ascontiguousarray(padded))])
        return [np.concatenate(each) for each in zip(*found, strict=True)]

    def _call(self, name: str, rows: int) -> Call:
        if (name, rows) not in self._calls:
            self._calls[name, rows] = self.part(self.manifest.parts[name], rows)
        return self._calls[name, rows]
