"""From a folder of one's own images to a routed ONNX file.

    python examples/own_images.py FOLDER [OUT]

FOLDER holds one subfolder a class, images of any size in it. OUT becomes the run directory (default: runs/own-images).
"""

import sys

import numpy as np

import duonas


def main(folder: str, out: str = "runs/own-images", *overrides: str) -> None:
    """Train, search, route, export, measure and report; then use what came out."""
    recipe = duonas.load_recipe(
        "digits",
        [
            "data.name=folder",
            f"data.path={folder}",
            "data.image_size=32",
            "space.preset=cifar-small",
            "space.axes={depth = [1, 2], kernel = [3, 5], expansion = [1, 2, 4]}",
            *overrides,
        ],
    )
    duonas.run(recipe, out)

    bundle = duonas.Bundle.load(f"{out}/export")  # numpy and onnxruntime only: this part runs on the device
    images = np.random.default_rng(0).random((3, 3, 32, 32), dtype=np.float32)
    prediction = bundle.predict(images)
    for label, is_little in zip(prediction.labels, prediction.is_little, strict=True):
        print(bundle.class_names[label], "by", "little" if is_little else "big")


if __name__ == "__main__":
    main(*sys.argv[1:])
