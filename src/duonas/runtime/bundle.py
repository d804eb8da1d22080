"""Run an exported bundle: classify images, and change the threshold at any time."""

from __future__ import annotations

from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from .arguments import checked_images, figure, folder_path, has_unit_of, number, prepared_image
from .engine import DEFAULT, Engine, Settings, open_engine
from .errors import BundleError, one_line
from .files import POLICY
from .policy import DevicePolicy, Row, load_policy
from .units import MACS, MILLISECONDS, SHARE


class Prediction(NamedTuple):
    """The predictions of a bundle for N images.

    Args:
        labels: (N,) int64 class indices.
        logits: (N, K) float32, little's where the image stays little, else big's.
        score: (N,) float32, higher = keep little.
        is_little: (N,) bool, whether little classified the image.
    """

    labels: np.ndarray
    logits: np.ndarray
    score: np.ndarray
    is_little: np.ndarray


class Bundle:
    """A routed pair on a device; open one with ``Bundle.load(folder)``.

    Args:
        engine: what runs the pair.
        policy: threshold, table of thresholds and class names.
    """

    def __init__(self, engine: Engine, policy: DevicePolicy) -> None:
        self._engine = engine
        self._policy = policy
        self._shape = engine.image_shape
        self.tau = policy.tau

    @classmethod
    def load(
        cls,
        folder: str | PathLike[str],
        threads: int = 0,
        *,
        spinning: bool = False,
        engine: str | type[Engine] = DEFAULT,
    ) -> Bundle:
        """Open an export folder.

        Args:
            folder: the folder of ``dynamic.onnx`` and ``policy.json``.
            threads: CPU threads; 0: one where the dearest path takes so few MACs that more threads wait longer for each
                other than they save, else one for each core.
            spinning: whether the threads keep their cores busy while they wait for work within a call, which is faster
                where the cores have nothing else to do, and many times slower where they have; else they sleep.
            engine: what runs it: ``"onnxruntime"`` on the processor, or another name that ``duonas targets`` lists, or
                an engine of your own.

        Raises:
            BundleError: a file is missing or damaged, the checksums in the policy differ from the files', the graph is
                not one of a routed pair, an argument is not what it must be, or this machine cannot run the engine.
        """
        folder = folder_path(folder)
        policy = load_policy(folder / POLICY)
        return cls(open_engine(engine, folder, policy, Settings(policy.threads(threads), spinning)), policy)

    def __repr__(self) -> str:
        known = f"image_shape={self.image_shape}, classes={self._policy.num_classes}, tau={self.tau:.4g}"
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            row = next((row for row in self.table if np.float32(row.tau) == self._tau), None)
        if row is None:  # a tau of the user's own
            return f"Bundle({known})"
        share, accuracy = f"{row.little_share:.1%}", f"{row.accuracy:.1%}"
        return f"Bundle({known}: {share} stay little, {accuracy} accuracy, {row.expected_macs:,.0f} MACs on calib)"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names (K,) of the classes, or empty where the data set has none."""
        return self._policy.class_names

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape (3, H, W) of each image."""
        return self._shape

    @property
    def table(self) -> tuple[Row, ...]:
        """The thresholds that ``set_budget``, ``set_latency``, ``set_share`` and ``set_floor`` choose from."""
        return self._policy.table

    @property
    def tau(self) -> float:
        """The threshold: an image stays little if ``score >= tau``; all do at -inf, none at +inf."""
        return float(self._tau)

    @tau.setter
    def tau(self, value: float) -> None:
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            self._tau = np.array(number(value, "tau"), np.float32)

    def set_budget(self, expected_macs: float | str) -> Row:
        """Set tau to the most accurate threshold with at most ``expected_macs`` per image on average.

        Args:
            expected_macs: a number, or a text such as ``"5M"``; a time such as ``"0.1ms"`` is what ``set_latency``
                takes.

        Returns:
            The threshold and its figures on the calib split.

        Raises:
            BundleError: the budget is below the lowest cost of the pair, which the message gives.
        """
        if isinstance(expected_macs, str) and has_unit_of(expected_macs, MILLISECONDS):
            return self.set_latency(expected_macs)
        return self._use(self._policy.at_budget(figure(expected_macs, MACS, "a budget")))

    def set_latency(self, expected_ms: float | str) -> Row:
        """Set tau to the most accurate threshold with at most ``expected_ms`` per image on average.

        Latencies are those of the machine that the pair was timed on, one image at a time.

        Args:
            expected_ms: a number in ms, or a text such as ``"2ms"``.

        Returns:
            The threshold and its figures on the calib split.

        Raises:
            BundleError: the pair was not timed, or the latency is below the lowest possible.
        """
        return self._use(self._policy.at_latency(figure(expected_ms, MILLISECONDS, "a latency")))

    def set_share(self, little_share: float | str) -> Row:
        """Set tau to the threshold that keeps nearest to a fraction of the images little.

        Args:
            little_share: a number in [0, 1], or a text such as ``"70%"``.

        Returns:
            The threshold and its figures on the calib split.

        Raises:
            BundleError: it is not a share.
        """
        return self._use(self._policy.at_share(figure(little_share, SHARE, "a little share")))

    def set_floor(self, accuracy: float | str) -> Row:
        """Set tau to the cheapest threshold that guarantees ``accuracy`` with the policy's confidence.

        Args:
            accuracy: a number in [0, 1], or a text such as ``"90%"``.

        Returns:
            The threshold and its figures on the calib split.

        Raises:
            BundleError: no threshold does; the message gives the highest accuracy that can be guaranteed.
        """
        return self._use(self._policy.at_floor(figure(accuracy, SHARE, "a floor")))

    def prepare(self, images: Any) -> np.ndarray:
        """Make of images what the networks were trained on: resized, cropped or padded, and scaled to 8 bits.

        Args:
            images: one image or a list of images: an array (H, W), (H, W, 3) or (H, W, 4), upright, grey or RGB, of
                uint8, of floats from 0 to 1, or in the scale of the training images; or an image of Pillow, which is
                turned by its EXIF data.

        Returns:
            (N, 3, H, W) uint8 for ``predict``, bit for bit what training saw of these images.

        Raises:
            BundleError: one of them is not an image, such as a path, or its values are in another scale than those of
                the training images; or the policy does not say how images are prepared.
        """
        if self._policy.preparation is None:
            raise BundleError("this bundle does not say how images are prepared: export it again.")
        given = images if isinstance(images, list | tuple) else [images]
        prepared = [prepared_image(image, self._policy.preparation, number) for number, image in enumerate(given)]
        return np.stack(prepared) if prepared else np.empty((0, *self._shape), np.uint8)

    def predict(self, images: Any) -> Prediction:
        """Classify images (N, 3, H, W), float32 in [0, 1] or uint8; no images give no predictions.

        Raises:
            BundleError: shape, type or range are wrong; the message says what is expected.
        """
        given = checked_images(images, self._shape)
        try:
            answer = self._engine.run(given, self._tau)
        except Exception as error:  # the exceptions of runtimes have no common base class
            raise BundleError(f"{self._engine.name} cannot run this bundle: {one_line(error)}.") from error
        return Prediction(answer.logits.argmax(1), *answer)

    def _use(self, row: Row) -> Row:
        self.tau = row.tau
        return row
