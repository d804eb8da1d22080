from __future__ import annotations

import pytest

from duonas.measure.precision import beside_fp32, file_sizes
from duonas.measure.quantized import quantized_in_words


def role(now, before, spread=0.01):
    times = (
        {"1": {"mean": each, "lower": each - spread, "upper": each + spread}, "64": {"mean": each}}
        for each in (now, before)
    )
    return {"accuracy": 0.92, "fp32_accuracy": 0.93, "flips": 3, "bytes": 35, "fp32_bytes": 100} | dict(
        zip(("times_ms", "fp32_times_ms"), times, strict=True)
    )


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"little": (1.6, 1.0), "big": (3.2, 2.0)}, "int8 saves bytes here, and no time: an image takes 1.6 ms instead "
         "of 1 in little (1.6 times), 3.2 ms instead of 2 in big (1.6 times)."),
        ({"little": (0.5, 1.0), "big": (1.0, 2.0)}, "int8 pays here in time and bytes: "),
        ({"little": (1.2, 1.0), "big": (1.0, 2.0)}, "int8 is faster here for big alone: "),
        ({"little": (1.0, 1.0), "plain": (2.0, 2.01)}, "int8 saves bytes here, and takes as long as fp32: "),
        ({"plain": (3.0, 2.0)}, "an image takes 3 ms instead of 2 in the plain network (1.5 times)."),
    ],
)  # fmt: skip
def test_a_slower_precision_is_called_slower(times, said):
    found = beside_fp32("int8", {name: role(*each) for name, each in times.items()})
    assert said in found["sentence"] and found["is"] == "int8"
    last = list(times)[-1].replace("plain", "the plain network")
    assert found["answers"].endswith(
        f"{last[0].upper()}{last[1:]} has 35% of the bytes and is right on 92.0% instead of 93.0% of the test images "
        "(3 answers changed)."
    )


def test_what_noise_explains_is_no_gain():
    found = beside_fp32("fp16", {"big": role(0.9, 1.0, spread=0.2)})
    assert found["sentence"].startswith("fp16 saves bytes here, and takes as long as fp32: ")


def test_a_file_that_grows_is_not_called_smaller():
    grown = role(1.6, 1.0) | {"bytes": 167}
    assert beside_fp32("int8", {"little": grown})["sentence"].startswith("int8 saves neither bytes nor time here: ")
    quick = role(0.5, 1.0) | {"bytes": 167}
    assert beside_fp32("int8", {"little": quick})["sentence"].startswith("int8 pays here in time: ")


def quantized(**changes):
    networks = {"big": {"accuracy": 0.9, "fp32_accuracy": 0.91, "flips": 1}}
    ways = {"all": {"images": 256, "right": 90, "right_of_sent": 20},
            "sent": {"images": 70, "right": 89, "right_of_sent": 22}}  # fmt: skip
    calibration = {"images": 256, "big": "sent", "ways": ways}
    rows = [{"layer": f"layer{number}", "in_float": number < 5} for number in range(8)]
    return {"precision": "int8", "val_images": 100, "networks": networks, "calibration": calibration, "layers": rows,
            "bound": None} | changes  # fmt: skip


def test_the_words_say_where_the_scales_are_from():
    said = quantized_in_words(quantized())
    assert said == (
        "The networks are in int8: of 100 val images big is right on 90.0% instead of 91.0% (1 answer changed). The "
        "scales are from 256 training images, those of big from 70 images that little sends to it: 22 right answers on "
        "the val images that little sends to big, and 20 by all of them."
    )
    alone = {"images": 256, "big": "all", "ways": {"all": {}}}
    assert "big's, too, since little sends none of them" in quantized_in_words(quantized(calibration=alone))
    assert (
        quantized_in_words({"precision": "fp16", "val_images": 1, "networks": quantized()["networks"]})
        == "The networks are in fp16: of 1 val image big is right on 90.0% instead of 91.0% (1 answer changed)."
    )


def test_the_words_name_the_layers_in_float():
    bound = {"most_points_lost": 0.5, "layers_in_float": 5}
    said = quantized_in_words(quantized(bound=bound))
    assert said.endswith(
        "So that no network loses more than 0.5 points, 5 layers stay in float: layer0, layer1, layer2, layer3 and 1 "
        "more."
    )
    none = quantized_in_words(quantized(bound=bound, layers=[{"layer": "a", "in_float": False}]))
    assert none.endswith("No network loses more than 0.5 points with all layers in integers.")


def test_only_files_that_are_in_both_folders_are_compared(tmp_path):
    for folder, size in (("export", 3), ("fp32", 9)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "big.onnx").write_bytes(b"x" * size)
    (tmp_path / "export" / "dynamic.onnx").write_bytes(b"x")
    files = {"routed": "dynamic.onnx", "big": "big.onnx"}
    assert file_sizes(tmp_path / "export", tmp_path / "fp32", files) == {"big": {"bytes": 3, "fp32_bytes": 9}}
