"""Classify the frames of a camera, the images of a folder, or the stored images of this kit.

    python camera.py                    # the first camera, if OpenCV is installed; else the stored images
    python camera.py --camera 1
    python camera.py --images FOLDER    # read by OpenCV or by Pillow, whichever is installed

It is an example: take from it what you need. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from duonas.runtime import Bundle, BundleError
from duonas.runtime.golden import load_golden
from duonas.runtime.kit import open_kit
from duonas.runtime.policy import load_policy

HOME = Path(__file__).parent
ENDINGS = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
Images = Iterator[tuple[str, np.ndarray]]  # names and RGB images (H, W, 3)


def open_cv() -> Any:
    """The module ``cv2``, or ``None`` where OpenCV is not installed."""
    try:
        import cv2
    except ImportError:
        return None
    return cv2


def frames_of(number: int) -> Images:
    """The frames of a camera, until it gives no more."""
    cv2 = open_cv()
    if cv2 is None:
        raise BundleError("a camera is read by OpenCV, which is not installed: pip install opencv-python-headless.")
    camera, count = cv2.VideoCapture(number), 0
    try:
        while True:
            there, frame = camera.read()
            if not there:
                if not count:
                    raise BundleError(f"camera {number} gives no frame: give another number by --camera, or --images.")
                return
            count += 1
            yield f"frame {count}", frame[:, :, ::-1]  # OpenCV has blue first
    finally:
        camera.release()


def images_of(folder: Path) -> Images:
    """The images of a folder and of those within it, by name."""
    paths = sorted(each for each in folder.rglob("*") if each.suffix.lower() in ENDINGS)
    if not paths:
        raise BundleError(f"{folder} has no images: expected files that end in {', '.join(sorted(ENDINGS))}.")
    for path in paths:
        yield str(path.relative_to(folder)), image_of(path)


def image_of(path: Path) -> np.ndarray:
    """An image file as RGB."""
    cv2 = open_cv()
    if cv2 is not None:
        found = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if found is None:
            raise BundleError(f"OpenCV cannot read {path}.")
        return np.ascontiguousarray(found[:, :, ::-1])
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise BundleError(
            "images are read by OpenCV or Pillow, of which none is installed: pip install pillow."
        ) from None
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise BundleError(f"Pillow cannot read {path}: {error}.") from None


def stored_images(folder: Path) -> Images:
    """The images that the bundle is tested on."""
    golden = load_golden(folder, load_policy(folder / "policy.json").onnx)
    if golden is None:
        raise BundleError("this kit has no stored images: give --images FOLDER.")
    for number, image in enumerate(golden.images, 1):
        yield f"stored image {number}", image.transpose(1, 2, 0)


def run(bundle: Bundle, images: Images) -> None:
    """Classify each image, and print what it is, who said so, and how long that took."""
    for name, image in images:
        start = time.perf_counter()
        found = bundle.predict(bundle.prepare(image))
        took = (time.perf_counter() - start) * 1e3
        label = int(found.labels[0])
        what = bundle.class_names[label] if bundle.class_names else f"class {label}"
        who = "little" if found.is_little[0] else "big"
        print(f"{name}: {what} ({who}, score {found.score[0]:.3g}, {took:.2f} ms)", flush=True)


def main() -> int:
    """Run the command, and return the exit code."""
    parser = argparse.ArgumentParser(description="Classify frames of a camera, or images, with the bundle of this kit.")
    parser.add_argument("--camera", type=int, metavar="N", help="number of the camera (default: 0, if there is OpenCV)")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="classify the images of this folder instead")
    parser.add_argument("--count", type=int, metavar="N", help="stop after so many (default: never)")
    given = parser.parse_args()
    try:
        bundle = Bundle.load(folder := open_kit(HOME).bundle)
        if given.images is not None:
            images = images_of(given.images)
        elif given.camera is not None or open_cv() is not None:
            images = frames_of(given.camera or 0)
        else:
            images = stored_images(folder)
        run(bundle, islice(images, given.count))
    except BundleError as error:
        print(f"camera.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
