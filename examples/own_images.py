"""From a folder of one's own images to a routed ONNX file.

    python examples/own_images.py FOLDER [OUT]

FOLDER holds one subfolder a class, images of any size in it. OUT becomes the run directory (default: runs/own-images).
"""

import sys

import numpy as np

import duonas


def main(folder: str, out: str = "runs/own-images", *overrides: str) -> None:
    """Train, search, route, export, measure and report; then use what came out."""
    recipe = duonas.load_recipe("own-images", overrides, images=folder, note=print)
    duonas.run(recipe, out)

    bundle = duonas.Bundle.load(f"{out}/export")  # numpy and onnxruntime only: this part runs on the device
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), np.uint8)  # or Pillow's images, of any sizes
    prediction = bundle.predict(bundle.prepare(list(pictures)))
    for label, is_little in zip(prediction.labels, prediction.is_little, strict=True):
        print(bundle.class_names[label], "by", "little" if is_little else "big")


if __name__ == "__main__":
    main(*sys.argv[1:])
