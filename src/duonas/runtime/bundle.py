"""Run an exported bundle: classify images, and change the threshold at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from .arguments import checked_images, figure, folder_path, has_unit_of, number, prepared_image
from .controller import Aim, Controller
from .drift import Change, DriftOptions, DriftWatch
from .engine import DEFAULT, Answer, Engine, Settings, open_engine
from .errors import BundleError, one_line
from .files import POLICY
from .frame import FramePrediction, Order, prepared_frame, probabilities
from .live import Live
from .policy import DevicePolicy, Row, load_policy
from .stats import Stats
from .units import MACS, MILLIJOULES, MILLISECONDS, SHARE, WATTS


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
        self._live = Live()
        prepared = policy.preparation
        if prepared is not None and {*self._shape[1:]} != {prepared.image_size}:
            side = prepared.image_size
            raise BundleError(f"the policy prepares images of {side} x {side}, but the networks take {self._shape}.")
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
            row = next((row for row in self.table if np.float32(row.tau) == self._threshold()), None)
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
        """The threshold: an image stays little if ``score >= tau``; all do at -inf, none at +inf.

        One of your own, set here or by ``set_budget`` and the like, ends what ``keep`` began.
        """
        return float(self._threshold())

    @tau.setter
    def tau(self, value: float) -> None:
        with np.errstate(over="ignore"):  # beyond float32 is infinite
            self._tau = np.array(number(value, "tau"), np.float32)
        self._live.controller = None

    @property
    def stats(self) -> Stats:
        """What was answered so far, by ``predict`` and ``predict_frame``: how many images, by whom, how fast."""
        return self._live.stats

    @property
    def drift(self) -> DriftWatch | None:
        """The watch that ``watch_drift`` began."""
        return self._live.drift

    @property
    def controller(self) -> Controller | None:
        """The controller that ``keep`` began."""
        return self._live.controller

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
        began = time.perf_counter()
        answer, _, _ = self._answered(checked_images(images, self._shape), began)
        return Prediction(answer.logits.argmax(1), *answer)

    def predict_frame(self, frame: np.ndarray, order: Order = "rgb") -> FramePrediction:
        """Classify one frame of a camera: prepared as by ``prepare``, with the name of its class and probabilities.

        Args:
            frame: (H, W, 3) uint8 of any size, upright.
            order: of its channels; OpenCV gives ``"bgr"``.

        Raises:
            BundleError: it is no frame, or the policy does not say how images are prepared.
        """
        began = time.perf_counter()
        image = prepared_frame(frame, order, self._policy.preparation)
        prepared = time.perf_counter()
        answer, tau, ms = self._answered(checked_images(image, self._shape), began)
        little = bool(answer.is_little[0])
        temperature = self._policy.little_temperature if little else self._policy.big_temperature
        names = self.class_names or tuple(f"class {number}" for number in range(self._policy.num_classes))
        label = int(answer.logits[0].argmax())
        return FramePrediction(
            label, names[label], probabilities(answer.logits[0], temperature), "little" if little else "big",
            float(answer.score[0]), tau, ms, (prepared - began) * 1e3, names,
        )  # fmt: skip

    def watch_drift(
        self,
        *,
        images_per_false_alarm: float = DriftOptions.images_per_false_alarm,
        windows: tuple[int, ...] = DriftOptions.windows,
        least_change: float = DriftOptions.least_change,
        every: int = DriftOptions.every,
        on_change: Callable[[Change], None] | None = None,
    ) -> DriftWatch:
        """Compare the scores of all that is predicted from now on with those of calib; see ``runtime.drift``.

        Args:
            images_per_false_alarm: among so many images at most one false alarm is expected.
            windows: numbers of images that are compared with calib.
            least_change: a smaller change of a share is not told.
            every: only each so many-th image is looked at, since frames that follow each other are not independent.
            on_change: is told the change when it is found, once.

        Raises:
            BundleError: a figure is out of its range, or the policy does not say enough of calib.
        """
        options = DriftOptions(images_per_false_alarm, tuple(windows), least_change, every)
        policy = self._policy
        self._live.drift = DriftWatch(policy.table, policy.images, policy.tau, options, on_change)
        return self._live.drift

    def keep(
        self,
        *,
        share: float | str | None = None,
        latency: float | str | None = None,
        energy: float | str | None = None,
        watts: float | str | None = None,
        images: int = Aim.images,
        least_accuracy: float | str = Aim.least_accuracy,
    ) -> Controller:
        """Keep a mean little share, time or energy by moving tau within the table; see ``runtime.controller``.

        A promise on accuracy holds for a threshold that stays, and not while this moves it.

        Args:
            share: the fraction of the images that stays little, such as ``"70%"``.
            latency: mean time of an image here, such as ``"2ms"``; that of ``predict_frame`` includes preparation.
            energy: mean energy of an image, such as ``"5mJ"``.
            watts: the power that the device draws, such as ``"4W"``, by which an energy is known from a time; without
                it, give what a meter says to ``controller.add``.
            images: over about so many images the mean is evened out.
            least_accuracy: only thresholds that had at least this accuracy on calib.

        Raises:
            BundleError: not one of the three is given, a figure is out of its range, or no threshold is so accurate.
        """
        kinds = {"share": (share, SHARE), "latency": (latency, MILLISECONDS), "energy": (energy, MILLIJOULES)}
        given = [name for name, (value, _) in kinds.items() if value is not None]
        if len(given) != 1 or (watts is not None and given != ["energy"]):
            raise BundleError("keep takes one of share, latency and energy, and watts with energy alone.")
        value, quantity = kinds[given[0]]
        target = figure(value, quantity, f"the {given[0]} to keep")
        power = None if watts is None else figure(watts, WATTS, "watts")
        if power is not None and not 0 < power < np.inf:
            raise BundleError(f"watts must be above 0, got {power:g}.")
        aim = Aim(given[0], target, images, figure(least_accuracy, SHARE, "least_accuracy"))  # type: ignore[arg-type]
        self._live.watts, self._live.controller = power, Controller(self.table, aim, self.tau)
        return self._live.controller

    def _threshold(self) -> np.ndarray:
        controller = self._live.controller
        return np.array(controller.row.tau, np.float32) if controller else self._tau

    def _answered(self, images: np.ndarray, began: float) -> tuple[Answer, float, float]:
        """Ask the engine, and take the answers in.

        Args:
            images: checked.
            began: when the caller came, by ``time.perf_counter``.

        Returns:
            The answers, the threshold that was in force, and what they took in ms.
        """
        tau = self._threshold()
        try:
            answer = self._engine.run(images, tau)
        except Exception as error:  # the exceptions of runtimes have no common base class
            raise BundleError(f"{self._engine.name} cannot run this bundle: {one_line(error)}.") from error
        ms = (time.perf_counter() - began) * 1e3
        self._live.note(answer.score, answer.is_little, float(tau), ms)
        return answer, float(tau), ms

    def _use(self, row: Row) -> Row:
        self.tau = row.tau
        return row
