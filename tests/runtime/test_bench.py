"""A bundle under sustained load, on a clock that only its work moves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.runtime import BundleError, bench
from duonas.runtime.__main__ import main, summary_line
from duonas.runtime.bench import Bench, Load, Sensors, sustained
from duonas.runtime.bundle import Bundle, Prediction
from duonas.runtime.energy import GivenPower, MeterError, PowerMeter
from duonas.runtime.timing import Clock

IMAGES = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1) * np.ones((1, 3, 2, 2), np.uint8)


class Device:
    """A device on which the image of number k takes so many ms, and that may become hot, full or tired."""

    def __init__(self, ms=lambda now, image: 10.0, stop_at=None):
        self.now, self.ms, self.stop_at, self.cpu = 0.0, ms, stop_at, 0.0

    def predict(self, images):
        if self.stop_at is not None and self.now >= self.stop_at:
            raise KeyboardInterrupt
        image = int(images[0, 0, 0, 0])
        seconds = self.ms(self.now, image) / 1e3
        self.now += seconds
        self.cpu += 0.5 * seconds
        kept = np.array([image % 2 == 0])
        return Prediction(np.zeros(1, int), np.zeros((1, 5), np.float32), np.zeros(1, np.float32), kept)

    def sleep(self, seconds):
        self.now += seconds

    def sensors(self):
        return Sensors(
            temperature=lambda: 40 + self.now, clock=lambda: None, memory=lambda: int(1e6 + 1000 * self.now),
            cpu=lambda: self.cpu,
        )  # fmt: skip


class Steady(PowerMeter):
    """A meter of a power that stays the same."""

    name, every = "steady", float("inf")

    def __init__(self, watts):
        super().__init__("the board")
        self.watts = watts

    def read(self):
        return self.watts


def loaded(device, load, meter=None):
    found = Bench(device, IMAGES, load, meter, Clock(lambda: device.now, device.sleep), device.sensors())
    found.run()
    return found


def test_a_steady_device_has_the_same_figures_in_every_window():
    found = loaded(Device(), Load(minutes=1, window=10), Steady(3.0))
    assert len(found.windows) == 6 and not found.interrupted
    for number, row in enumerate(found.windows):
        assert row["start_s"] == pytest.approx(10 * number, abs=0.1) and row["seconds"] == pytest.approx(10, abs=0.1)
        assert row["images_per_s"] == pytest.approx(100) and row["p50_ms"] == pytest.approx(10)
        assert row["cpu_share"] == pytest.approx(0.5) and row["little_share"] == pytest.approx(0.5, abs=1e-3)
        assert row["energy_mj"] == pytest.approx(30) and row["watts"] == pytest.approx(3) and row["dropped"] == 0
        assert row["clock_mhz"] is None  # not told
    total = found.summary()
    assert total["images"] == sum(row["images"] for row in found.windows) == pytest.approx(6000, abs=2)
    assert total["drift"] == pytest.approx(1) and total["mean_ms"] == pytest.approx(10)
    assert total["p95_ms"] == pytest.approx(10, rel=0.003) and total["energy_mj"] == pytest.approx(30)
    assert total["temperature_c"] == found.windows[-1]["temperature_c"] > 99
    assert total["memory_growth"] == pytest.approx(1000 * 35, rel=0.3)  # from the second quarter to the last


def test_a_device_that_throttles_is_seen_to():
    found = loaded(Device(lambda now, image: 10.0 if now < 30 else 15.0), Load(minutes=1, window=5))
    assert found.summary()["drift"] == pytest.approx(1.5)
    assert found.windows[0]["images_per_s"] == pytest.approx(1.5 * found.windows[-1]["images_per_s"])


def test_one_window_of_something_else_is_no_throttling():
    found = loaded(Device(lambda now, image: 40.0 if now > 55 else 10.0), Load(minutes=1, window=5))
    assert found.windows[-1]["mean_ms"] > 30 and found.summary()["drift"] == pytest.approx(1, abs=0.05)


def test_images_of_different_times_have_different_percentiles():
    total = loaded(Device(lambda now, image: (1, 1, 1, 9)[image]), Load(minutes=0.1)).summary()
    assert total["p50_ms"] == pytest.approx(1, rel=0.003) and total["p95_ms"] == pytest.approx(9, rel=0.003)
    assert total["mean_ms"] == pytest.approx(3, rel=0.01)


@given(st.floats(1, 60), st.floats(0.5, 400))
def test_a_camera_gives_so_many_frames_and_those_that_come_too_fast_are_dropped(fps, ms):
    found = loaded(Device(lambda now, image: ms), Load(minutes=0.5, fps=fps, window=5))
    total = found.summary()
    taken = total["images"] + total["dropped"]
    assert taken == pytest.approx(30 * fps, abs=2 + 0.5 * fps)  # the last image may end late
    if ms * fps < 990:
        assert total["dropped"] <= 1
        assert total["images_per_s"] == pytest.approx(fps, rel=0.05, abs=0.2)
    elif ms * fps > 1010:
        assert total["images_per_s"] == pytest.approx(1000 / ms, rel=0.7) and total["dropped"] > 0


@pytest.mark.parametrize(("meter", "energy"), [(Steady(3.0), 300), (GivenPower(3.0), 30)])
def test_a_meter_sees_how_a_device_waits_for_frames_and_given_watts_are_those_of_computing(meter, energy):
    found = loaded(Device(), Load(minutes=1, fps=10), meter)
    assert found.summary()["energy_mj"] == pytest.approx(energy, rel=0.01)


def test_an_interrupted_run_keeps_what_it_has():
    found = loaded(Device(stop_at=12.0), Load(minutes=1, window=5))
    assert found.interrupted and len(found.windows) == 3
    assert found.summary()["seconds"] == pytest.approx(12, abs=0.1)
    empty = loaded(Device(stop_at=0.001), Load(minutes=1))
    assert empty.interrupted and empty.summary() == {} and "before the first image" in summary_line({"summary": {}})


def test_an_interruption_while_it_is_written_counts_no_window_twice():
    device = Device()
    found = Bench(device, IMAGES, Load(minutes=1, window=5), None, Clock(lambda: device.now, device.sleep),
                  device.sensors())  # fmt: skip

    def interrupt():
        if len(found.windows) == 2:
            raise KeyboardInterrupt

    found.run(interrupt)
    assert found.interrupted and len(found.windows) == 2


def test_a_meter_that_is_lost_costs_only_the_energy():
    device = Device()

    class Lost(Steady):
        def read(self):
            if device.now > 11:
                raise MeterError("the meter is gone.")
            return self.watts

    found = loaded(device, Load(minutes=0.5, window=5), Lost(2.0))
    energies = [row["energy_mj"] for row in found.windows]
    assert energies[:2] == [pytest.approx(20)] * 2 and energies[3:] == [None] * 3
    assert found.summary()["energy_mj"] == pytest.approx(20)


@pytest.mark.parametrize("wrong", [{"minutes": 0}, {"fps": -1}, {"window": float("inf")}, {"minutes": float("nan")}])
def test_a_load_must_be_above_zero(wrong):
    with pytest.raises(BundleError, match=rf"^{next(iter(wrong))} must be above 0, got"):
        Load(**wrong)


def test_a_slow_camera_does_not_make_a_run_longer():
    device = Device()
    found = loaded(device, Load(minutes=1, fps=0.01))
    assert device.now == pytest.approx(60, abs=0.1) and found.summary()["images"] == 1


def test_a_window_shorter_than_an_image_has_one():
    found = loaded(Device(), Load(minutes=0.01, window=1e-9))
    assert {row["images"] for row in found.windows} == {1} and found.summary()["images"] == 60


def test_no_camera_is_as_fast_as_that():
    with pytest.raises(BundleError, match=r"fps must be at most 1,000,000, got 1e[+]308"):
        Load(fps=1e308)


def test_windows_are_neither_too_short_nor_too_long():
    assert [Load(minutes).window_seconds for minutes in (0.1, 10, 600)] == [1, 5, 30]


@pytest.fixture
def short(monkeypatch):
    """A tenth of a second is a minute, so that a real bundle is soon done."""
    monkeypatch.setattr(Load, "seconds", property(lambda load: load.minutes / 10))


def test_a_real_bundle_is_tested_and_its_result_is_one_file(exported, short, tmp_path):
    said, out = [], tmp_path / "bench.json"
    found = sustained(exported[2], Load(3, window=0.1, threads=1), out, GivenPower(5), said.append)
    assert json.loads(out.read_text()) == found and [each.name for each in tmp_path.iterdir()] == ["bench.json"]
    assert found["self_test"]["images"] == 20 and "Self-test passed" in said[0]
    assert set(found["times"]["networks"]) == {"routed", "big", "little"} and said[1].startswith("On this device: ")
    assert len(found["windows"]) == len(said) - 2 >= 2 and found["summary"]["images"] > 0
    assert found["machine"]["threads"] == 1 and found["energy"]["watts"] == 5.0
    assert sorted(found["bundle"]["onnx"]) == ["big.onnx", "golden.npz", "little.onnx"]
    assert "images in" in summary_line(found) and "mJ by watts" in summary_line(found)


@pytest.mark.parametrize("engine", ["openvino"])
def test_another_engine_is_compared_with_its_own_networks(exported, short, tmp_path, engine):
    found = sustained(exported[2], Load(1, threads=1, engine=engine), tmp_path / "bench.json", None, [].append)
    assert found["machine"]["runtime"].startswith(engine) and found["load"]["engine"] == engine
    assert set(found["times"]["networks"]) == {"routed", "big", "little"} and found["times"]["clock"] == "wall"


def test_an_engine_that_is_not_here_is_refused(exported, tmp_path):
    with pytest.raises(BundleError, match="the engine 'cuda' cannot run here"):
        sustained(exported[2], Load(1, engine="cuda"), tmp_path / "bench.json")
    assert not list(tmp_path.iterdir())


def test_without_stored_images_it_says_so_and_goes_on(exported, short, tmp_path):
    folder = Path(shutil.copytree(exported[2], tmp_path / "export"))
    policy = json.loads((folder / "policy.json").read_text())
    del policy["onnx"]["golden.npz"]
    (folder / "policy.json").write_text(json.dumps(policy))
    said = []
    found = sustained(folder, Load(1), tmp_path / "bench.json", None, said.append)
    assert found["self_test"] is None and found["energy"] is None and said[0].startswith("No self-test: ")


def test_another_computation_is_refused_before_any_load(exported, tmp_path, monkeypatch):
    real = Bundle.predict
    monkeypatch.setattr(Bundle, "predict", lambda self, images: real(self, images)._replace(
        logits=real(self, images).logits + 1))  # fmt: skip
    with pytest.raises(BundleError, match=r"computes something else than what was exported: .* up to 1"):
        sustained(exported[2], Load(1), tmp_path / "bench.json")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_said_before_the_load(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(bench.Bench, "run", lambda *_: pytest.fail("it ran"))
    with pytest.raises(BundleError, match=r"^--out .*bench\.json: expected a file in a folder that exists\.$"):
        sustained(exported[2], Load(1), tmp_path / "none" / "bench.json")


def test_the_command_writes_what_it_found(exported, short, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", str(exported[2]), "--minutes", "2", "--fps", "50", "--watts", "750mW"]) == 0
    told = capsys.readouterr().out
    assert "Self-test passed" in told and told.endswith("result: bench.json\n")
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found["load"]["fps"] == 50 and found["energy"]["watts"] == 0.75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
        (["bench"], "the following arguments are required: BUNDLE"),
        (["bench", "none"], "policy.json does not exist, but every exported bundle has one."),
        (["bench", "none", "--minutes", "x"], "argument --minutes: invalid float value: 'x'"),
        (["bench", "none", "--minutes", "-1"], "minutes must be above 0, got -1."),
        (["bench", "none", "--watts", "5V"], "--watts must be a power such as 5W"),
        (["bench", "none", "--watts", "0"], "watts must be above 0, got 0."),
    ],
)
def test_a_mistake_is_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert message in told and told.startswith("duonas: ") and told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_copy_of_the_folder_under_another_name_needs_no_duonas(exported, tmp_path):
    source = Path(bench.__file__).parent
    shutil.copytree(source, tmp_path / "routed", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import sys, runpy; sys.modules.update(dict.fromkeys(['torch', 'duonas', 'onnx', 'scipy', 'PIL']));"
        "sys.argv = ['routed', 'bench', sys.argv[1], '--minutes', '0.005', '--threads', '1'];"
        "runpy.run_module('routed', run_name='__main__')"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, exported[2]],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert json.loads((tmp_path / "bench.json").read_text())["summary"]["images"] > 0
