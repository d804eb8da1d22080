"""Meters on fake trees of sysfs, and which of several is taken."""

from __future__ import annotations

import ctypes
import stat
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duonas.runtime.energy import GivenPower, MeterError
from duonas.runtime.meters import files, find_meter, hwmon, ina3221, need_meter, nvml, powercap, tegrastats
from duonas.runtime.meters.powercap import Powercap, Zone

RANGE = 262143328850


@pytest.fixture(autouse=True)
def path(monkeypatch, tmp_path):
    """A folder where programs are looked for, and no library of a graphics card."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr("duonas.runtime.meters.GPU", (lambda root: nvml.find(root, none_there),))
    return programs


def none_there(name):
    raise OSError(f"{name}: no such file")


def write(folder, **contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(f"{content}\n")
    return folder


def zone(root, folder, name, energy=0, most=RANGE):
    place = root / "sys/class/powercap" / folder
    return write(place, name=name, energy_uj=energy, max_energy_range_uj=most)


def chip(root, number, name, **contents):
    return write(root / f"sys/class/hwmon/hwmon{number}", name=name, **contents)


def joules(meter, change):
    """What a meter says of a change of its files, each reading one second after the other."""
    before = meter.read()
    change()
    return meter.between(before, meter.read(), 1.0)


def test_packages_and_memory_are_counted_and_no_part_of_them_twice(tmp_path):
    write(tmp_path / "sys/class/powercap/intel-rapl", enabled=1)
    zones = {
        "intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "uncore", "intel-rapl:0:2": "dram",
        "intel-rapl:1": "package-1", "intel-rapl:1:0": "core", "intel-rapl:2": "psys", "intel-rapl-mmio:0": "package-0",
    }  # fmt: skip
    for folder, name in zones.items():
        zone(tmp_path, folder, name)
    meter = powercap.find(tmp_path)
    assert meter.describe() == {"meter": "powercap", "covers": "package-0, package-1, package-0 dram"}

    def work():
        for number, folder in enumerate(zones):
            zone(tmp_path, folder, zones[folder], 10**6 * 10**number)

    assert joules(meter, work) == pytest.approx(1 + 1_000 + 10_000)


def test_a_counter_of_the_whole_platform_counts_where_there_is_no_other(tmp_path):
    zone(tmp_path, "intel-rapl:0", "psys")
    assert powercap.find(tmp_path).covers == "psys"


@given(st.lists(st.integers(0, RANGE), min_size=2, max_size=8))
def test_a_counter_may_start_again(energies):
    """Between any two readings less is used than the range, which the thread sees to."""
    meter = Powercap([Zone("package-0", files.Path("unused"), RANGE)])
    counters = [0]
    for energy in energies:
        counters.append((counters[-1] + energy) % (RANGE + 1))
    found = sum(meter.between((a,), (b,), 1.0) for a, b in pairwise(counters))
    assert found == pytest.approx(sum(energies) / 1e6)


def test_the_range_outlasts_the_time_between_readings():
    smallest, watts = 65_532_610_987 / 1e6, 1000
    assert 2 * Powercap.every < smallest / watts


def test_counters_for_root_alone_are_said_in_one_sentence(tmp_path, monkeypatch):
    counter = zone(tmp_path, "intel-rapl:0", "package-0") / "energy_uj"
    deny(monkeypatch, counter)
    sentence = f"{counter} can be read by root only: run as root, or allow it by `sudo chmod a+r {counter}`."
    with pytest.raises(MeterError) as refused:
        powercap.find(tmp_path)
    assert str(refused.value) == sentence
    assert find_meter(root=tmp_path) == (None, sentence)
    assert find_meter(4.0, root=tmp_path).meter.describe()["watts"] == 4.0


def deny(monkeypatch, *paths):
    """Have the kernel refuse to read some files, as it refuses them to others than root."""
    real = files.Path.read_text

    def read(self, *args, **kwargs):
        if self in paths:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(files.Path, "read_text", read)


def test_a_counter_that_holds_no_number_is_refused(tmp_path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", "nonsense") / "energy_uj"
    with pytest.raises(MeterError, match=r"energy_uj must hold a whole number, got 'nonsense'\.$"):
        powercap.find(tmp_path)
    counter.write_text("5")
    meter = powercap.find(tmp_path)
    counter.unlink()
    with pytest.raises(MeterError, match=r"energy_uj no longer says anything: the meter is gone\.$"):
        meter.read()


def test_the_rail_that_feeds_a_jetson_is_enough(tmp_path):
    rails = {"in1_label": "VDD_CPU_GPU_CV", "in1_input": 4800, "curr1_input": 100, "in2_label": "VDD_IN",
             "in2_input": 5000, "curr2_input": 900, "in7_label": "sum of shunt voltages", "in7_input": 3,
             "curr4_input": 1000}  # fmt: skip
    chip(tmp_path, 3, "ina3221", **rails)
    meter = ina3221.find(tmp_path)
    assert meter.covers == "VDD_IN" and meter.read() == pytest.approx(4.5)


def test_without_such_a_rail_all_are_summed_up(tmp_path):
    chip(tmp_path, 1, "ina3221", in1_label="GPU", in1_input=5000, curr1_input=1000, in2_label="CPU", in2_input=5000,
         curr2_input=500, in3_input=5000)  # fmt: skip
    chip(tmp_path, 2, "ina3221", in1_input=12000, curr1_input=100)
    meter = ina3221.find(tmp_path)
    assert meter.covers == "GPU, CPU, rail 1" and meter.read() == pytest.approx(5 + 2.5 + 1.2)


def test_older_kernels_show_rails_by_iio(tmp_path):
    chips = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    write(tmp_path / chips, rail_name_0="POM_5V_IN", in_power0_input=2532, rail_name_1="POM_5V_GPU", in_power1_input=40)
    meter = ina3221.find(tmp_path)
    assert meter.covers == "POM_5V_IN" and meter.read() == pytest.approx(2.532)


def test_a_machine_meter_comes_before_those_of_parts(tmp_path):
    chip(tmp_path, 0, "nvme", power1_input=9_000_000)  # a drive is not what computes
    assert hwmon.find(tmp_path) is None
    chip(tmp_path, 1, "ina231", power1_input=1_500_000, power1_label="VDD_ARM")
    chip(tmp_path, 2, "ina231", power1_input=500_000)
    meter = hwmon.find(tmp_path)
    assert meter.covers == "ina231 VDD_ARM, ina231" and meter.read() == pytest.approx(2.0)
    chip(tmp_path, 3, "power_meter", power1_average=40_000_000)
    meter = hwmon.find(tmp_path)
    assert meter.covers == "power_meter" and meter.read() == pytest.approx(40)


def test_sockets_are_counted_and_not_their_cores(tmp_path):
    folder = chip(tmp_path, 0, "amd_energy", energy1_label="Ecore000", energy1_input=0, energy2_label="Esocket0",
                  energy2_input=0)  # fmt: skip
    meter = hwmon.find(tmp_path)
    assert meter.covers == "amd_energy Esocket0"
    assert joules(meter, lambda: write(folder, energy1_input=10**9, energy2_input=3 * 10**6)) == pytest.approx(3)


LINES = {
    "RAM 2411/3956MB (lfb 4x2MB) SWAP 0/1978MB (cached 0MB) IRAM 0/252kB(lfb 252kB) CPU [2%@102,off] EMC_FREQ 0% "
    "GR3D_FREQ 0% PLL@35C thermal@36.5C POM_5V_IN 2532/2698 POM_5V_GPU 40/40 POM_5V_CPU 410/400": "POM_5V_IN",
    "11-30-2026 01:00:00 RAM 3021/7620MB (lfb 7x4MB) SWAP 0/3810MB (cached 0MB) CPU [1%@729] GR3D_FREQ 0% "
    "tj@48.3C VDD_IN 4943mW/4943mW VDD_CPU_GPU_CV 480mW/480mW VDD_SOC 1442mW/1442mW": "VDD_IN",
    "RAM 2000/31928MB (lfb 7x4MB) GPU 310/310 CPU 620/600 SOC 934/934 SYS5V 1438/1438": "GPU, CPU, SOC, SYS5V",
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_tegrastats_prints_rails(path, tmp_path, line):
    assert tegrastats.find(tmp_path) is None
    program(path, f"while :; do echo '{line}' || exit; /bin/sleep 0.01; done")
    meter = tegrastats.find(tmp_path)
    assert meter.covers == LINES[line]
    with meter.measuring() as found:
        pass
    watts = {"POM_5V_IN": 2.532, "VDD_IN": 4.943}.get(meter.covers, 0.31 + 0.62 + 0.934 + 1.438)
    assert found.joules == pytest.approx(watts * found.seconds)
    assert meter._process is None


def test_a_program_that_says_nothing_is_no_meter(path, tmp_path):
    program(path, "exit 1")
    with pytest.raises(MeterError, match=r"^tegrastats ended without a word"):
        tegrastats.find(tmp_path)
    assert "tegrastats ended" in find_meter(root=tmp_path).hint


def program(path, body):
    file = path / "tegrastats"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


class Library:
    """NVML of one card, which may know its energy, its power, or neither."""

    def __init__(self, energy=None, power=None, started=0):
        self.energy, self.power, self.started = energy, power, started

    def nvmlInit_v2(self):
        return self.started

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        return 0 if index.value == 0 else 2

    def nvmlDeviceGetName(self, handle, text, length):
        ctypes.memmove(text, b"NVIDIA A\0", 9)
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, found):
        return self._put(found, self.energy)

    def nvmlDeviceGetPowerUsage(self, handle, found):
        return self._put(found, self.power)

    def _put(self, found, figure):
        if figure is None:
            return 3
        if figure < 0:
            return -figure
        found._obj.value = figure
        return 0


def test_a_card_counts_its_energy(tmp_path):
    library = Library(energy=5_000_000_000_000, power=70_000)
    meter = nvml.find(tmp_path, lambda name: library)
    assert meter.describe() == {"meter": "nvml", "covers": "NVIDIA A"}

    def work():
        library.energy += 2_500

    assert joules(meter, work) == pytest.approx(2.5)
    library.energy = None
    with pytest.raises(MeterError, match="no longer tells its power"):
        meter.read()


def test_an_older_card_tells_its_power(tmp_path):
    meter = nvml.find(tmp_path, lambda name: Library(power=70_000))
    assert meter.read() == pytest.approx(70) and meter.between(70.0, 80.0, 2.0) == pytest.approx(150)


def test_no_card_or_one_without_figures_is_no_meter(tmp_path):
    assert nvml.find(tmp_path, none_there) is None
    assert nvml.find(tmp_path, lambda name: Library(started=9)) is None
    assert nvml.find(tmp_path, lambda name: Library()) is None
    with pytest.raises(MeterError, match="only root may ask it"):
        nvml.find(tmp_path, lambda name: Library(energy=-4))


def test_each_meter_covers_what_computes(tmp_path, monkeypatch):
    zone(tmp_path, "intel-rapl:0", "package-0")
    card = Library(energy=0)
    monkeypatch.setattr("duonas.runtime.meters.GPU", (lambda root: nvml.find(root, lambda name: card),))
    assert find_meter(root=tmp_path).meter.name == "powercap"
    assert find_meter(3.0, "CUDAExecutionProvider", root=tmp_path).meter.name == "nvml"
    chip(tmp_path, 0, "ina3221", in1_label="VDD_IN", in1_input=5000, curr1_input=900)
    for provider in ("CPUExecutionProvider", "CUDAExecutionProvider"):
        assert find_meter(3.0, provider, root=tmp_path).meter.name == "ina3221"


def test_without_a_meter_the_watts_of_the_user_count_and_without_them_it_is_said(tmp_path):
    assert find_meter(root=tmp_path) == (None, "")
    assert isinstance(find_meter(2.5, root=tmp_path).meter, GivenPower)
    with pytest.raises(MeterError) as refused:
        need_meter(find_meter(root=tmp_path), "--watts 5")
    assert str(refused.value) == (
        "this machine has no energy meter that can be read: give the power that it draws by --watts 5."
    )
    assert need_meter(find_meter(2.5, root=tmp_path), "--watts 5").watts == 2.5
