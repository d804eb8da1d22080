from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import duonas
from duonas.routing.policy import Policy
from duonas.runtime import Bundle, BundleError


@pytest.fixture
def bundle(exported):
    return Bundle.load(exported[2], threads=1)


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of the export folder, to be spoilt."""
    return Path(shutil.copytree(exported[2], tmp_path / "export"))


def edit(folder, **changes):
    path = folder / "policy.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_bytes_and_floats_give_the_same(bundle, exported, images):
    as_bytes = bundle.predict(images[:300])
    as_floats = bundle.predict(images[:300].astype(np.float32) / np.float32(255))
    for one, other in zip(as_bytes, as_floats, strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(as_bytes.labels, as_bytes.logits.argmax(1))
    assert np.array_equal(as_bytes.is_little, as_bytes.score >= np.float32(exported[1].tau))
    assert bundle.class_names == ("a", "b", "<c>", "d", "é") and bundle.image_shape == (3, 12, 12)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_no_images_give_no_predictions(bundle, dtype):
    found = bundle.predict(np.empty((0, *bundle.image_shape), dtype))
    assert [each.shape for each in found] == [(0,), (0, 5), (0,), (0,)]
    assert len(bundle.predict(bundle.prepare([])).labels) == 0


def test_tau_can_be_turned_while_it_runs(bundle, images):
    shares = []
    for tau in (float("-inf"), 0.1, 0.4, 0.8, float("inf")):
        bundle.tau = tau
        assert bundle.tau == pytest.approx(tau)
        shares.append(bundle.predict(images[:500]).is_little.mean())
    assert shares[0] == 1 and shares[-1] == 0 and shares == sorted(shares, reverse=True)
    with pytest.raises(BundleError, match="NaN"):
        bundle.tau = float("nan")
    bundle.tau = 1e300  # beyond float32
    assert bundle.tau == np.inf and not bundle.predict(images[:500]).is_little.any()


def test_it_says_what_it_is(bundle):
    bundle.tau = 0.25
    classes = len(bundle.class_names)
    assert repr(bundle) == f"Bundle(image_shape=(3, 12, 12), classes={classes}, tau=0.25)"
    row = bundle.set_share(0.5)
    says = f"{row.little_share:.1%} stay little, {row.accuracy:.1%} accuracy, {row.expected_macs:,.0f} MACs on calib)"
    assert repr(bundle) == f"Bundle(image_shape=(3, 12, 12), classes={classes}, tau={row.tau:.4g}: {says}"


def test_a_budget_takes_the_best_row_it_can_pay(bundle, exported):
    table = Policy.load(exported[2] / "policy.json").table
    row = bundle.set_budget(5000)
    assert row.expected_macs <= 5000 and bundle.tau == pytest.approx(row.tau)
    assert row.accuracy == max(other.accuracy for other in table if other.expected_macs <= 5000)
    with pytest.raises(BundleError, match=r"budget of 1000 MACs cannot be met: .* 1500"):
        bundle.set_budget(1000)
    assert bundle.tau == pytest.approx(row.tau)


def test_a_target_may_have_a_unit(bundle, copy):
    table = json.loads((copy / "policy.json").read_text())["table"]
    edit(copy, table=[row | {"expected_ms": 0.5 + 2 * (1 - row["little_share"])} for row in table])
    timed = Bundle.load(copy)
    assert timed.set_latency("1000us") == timed.set_latency("1ms") == timed.set_latency(1.0)
    assert timed.set_budget("1000us") == timed.set_latency("1ms")
    assert bundle.set_budget("5k") == bundle.set_budget("5e3") == bundle.set_budget(5000)
    assert bundle.set_share("25%") == bundle.set_share(0.25)
    assert bundle.set_floor("20%") == bundle.set_floor(0.2)
    with pytest.raises(BundleError, match=r"a latency must be a time such as 2ms .*, got '5M'"):
        timed.set_latency("5M")


def test_a_share_takes_the_nearest_row(bundle, images):
    row = bundle.set_share(0.25)
    assert row.little_share == pytest.approx(0.25, abs=0.02)
    assert bundle.set_share(1).tau == -np.inf and bundle.predict(images[:99]).is_little.all()
    assert bundle.set_share(0).tau == np.inf and not bundle.predict(images[:99]).is_little.any()
    with pytest.raises(BundleError, match="between 0 and 1"):
        bundle.set_share(60)


def test_a_floor_is_held_as_cheaply_as_can_be(bundle, exported):
    table = Policy.load(exported[2] / "policy.json").table
    best = table[0].accuracy_lower  # with every image at big
    row = bundle.set_floor(best * 0.8)
    assert row.holds >= best * 0.8
    dearer = [other for other in table if other.expected_macs >= row.expected_macs and other.holds]
    assert all(other.accuracy_lower >= best * 0.8 for other in dearer)
    with pytest.raises(
        BundleError, match=f"cannot be guaranteed: the highest possible is {int(1e4 * best) / 100:.6g}%"
    ):
        bundle.set_floor(0.999999)


def test_a_latency_takes_the_best_row_that_is_quick_enough(bundle, copy):
    with pytest.raises(BundleError, match="was not timed: `duonas route RUN --latency 2ms` times it"):
        bundle.set_latency(1.0)
    table = json.loads((copy / "policy.json").read_text())["table"]
    edit(copy, table=[row | {"expected_ms": 0.5 + 2 * (1 - row["little_share"])} for row in table])
    timed = Bundle.load(copy)
    row = timed.set_latency(1.0)
    assert row.expected_ms <= 1.0 and timed.tau == pytest.approx(row.tau)
    assert row.accuracy == max(other.accuracy for other in timed.table if other.expected_ms <= 1.0)
    with pytest.raises(BundleError, match=r"latency of 0.1 ms cannot be met: .* 0\.5"):
        timed.set_latency(0.1)


@pytest.mark.parametrize("shape", [(2, 3, 10, 10), (2, 12, 12, 3), (3, 12, 12), (2, 1, 12, 12), (0, 12, 12, 3)])
def test_wrong_shapes_are_told_the_right_one(bundle, shape):
    with pytest.raises(BundleError, match=r"shape \(N, 3, 12, 12\)"):
        bundle.predict(np.zeros(shape, np.float32))


@pytest.mark.parametrize(("factor", "told"), [(255.0, "got 0 to 255"), (-1.0, "got -1 to"), (np.nan, "nan")])
def test_images_outside_of_their_range_are_refused(bundle, factor, told):
    images = np.linspace(0, 1, 2 * 3 * 12 * 12, dtype=np.float32).reshape(2, 3, 12, 12)
    bundle.predict(images)
    with pytest.raises(BundleError, match=told):
        bundle.predict(images * np.float32(factor))


def test_wrong_types_are_told_the_right_ones(bundle):
    with pytest.raises(BundleError, match=r"float32 in .* or uint8, got float64"):
        bundle.predict(np.zeros((1, 3, 12, 12)))


def test_a_policy_of_other_files_is_refused(copy):
    model = copy / "dynamic.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match=r"dynamic\.onnx is not the file that policy\.json was exported with"):
        Bundle.load(copy)


def test_the_device_needs_but_two_files(copy, images):
    (copy / "little.onnx").unlink()
    (copy / "big.onnx").unlink()
    assert len(Bundle.load(str(copy)).predict(images[:3]).labels) == 3
    (copy / "dynamic.onnx").unlink()
    with pytest.raises(BundleError, match=r"dynamic\.onnx does not exist"):
        Bundle.load(copy)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda _: b"nothing", "it is no ONNX file"),
        (lambda model: model[: len(model) // 2], "it is no ONNX file"),
        (lambda model: model.replace(b"is_little", b"is_l\xdfttle"), "a name in it is no text"),
        (lambda model: model.replace(b"is_little", b"is_likely"), "the graph has no output 'is_little'"),
    ],
)
def test_a_graph_that_is_none_is_refused(copy, capfd, spoil, message):
    model = spoil((copy / "dynamic.onnx").read_bytes())
    (copy / "dynamic.onnx").write_bytes(model)
    edit(copy, onnx={"dynamic.onnx": hashlib.sha256(model).hexdigest()})
    with pytest.raises(BundleError, match=message) as told:
        Bundle.load(copy)
    assert "\n" not in str(told.value) and len(str(told.value)) < 500
    assert capfd.readouterr().out == ""  # ONNX Runtime would print that it tries the same again


USE = """
import sys
import numpy as np
{how}
bundle = Bundle.load(sys.argv[1])
bundle.set_budget(5000)
assert bundle.predict(np.zeros((3, 3, 12, 12), np.uint8)).logits.shape == (3, 5)
loaded = {{name.split(".")[0] for name in sys.modules}}
print(*sorted(loaded & {{"torch", "onnx", "scipy", "pydantic", "sklearn", "duonas"}}))
"""


def test_it_runs_without_torch(exported):
    source = USE.format(how="from duonas.runtime import Bundle")
    assert _run(source, exported[2], Path(duonas.__file__).parents[1]) == "duonas"


def test_its_folder_runs_alone(exported, tmp_path):
    """Copied to a device as it is, without the rest of duonas."""
    shutil.copytree(Path(duonas.__file__).parent / "runtime", tmp_path / "routed")
    assert _run(USE.format(how="from routed import Bundle"), exported[2], tmp_path) == ""


def _run(source, folder, path):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(path)!r})\n{source}", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
