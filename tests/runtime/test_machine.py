"""What a machine says of itself, read from a made-up /proc and /sys."""

from __future__ import annotations

import os

from duonas.runtime import machine


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_a_board_is_named_before_its_processor(tmp_path):
    write(tmp_path, {"proc/cpuinfo": "processor : 0\nmodel name\t: Fast CPU @ 3GHz\n"})
    assert machine.device_name(tmp_path) == "Fast CPU @ 3GHz"
    write(tmp_path, {"proc/device-tree/model": "Raspberry Pi 5 Model B\0"})
    assert machine.device_name(tmp_path) == "Raspberry Pi 5 Model B"


def test_the_highest_clock_and_temperature_count(tmp_path):
    assert machine.clock_mhz(tmp_path) is None and machine.temperature_c(tmp_path) is None
    write(tmp_path, {
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "2400000\n",
        "sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq": "<unknown>\n",
        "sys/class/thermal/thermal_zone0/temp": "48500\n",
        "sys/class/thermal/thermal_zone1/temp": "61000\n",
        "sys/class/thermal/thermal_zone2/temp": "-274000\n",
    })  # fmt: skip
    assert machine.clock_mhz(tmp_path) == 2400 and machine.temperature_c(tmp_path) == 61


def test_memory_of_a_process(tmp_path):
    write(tmp_path, {"proc/self/status": "Name:\tpython\nVmHWM:\t   2048 kB\nVmRSS:\t 1024 kB\n"})
    assert machine.resident_bytes(tmp_path) == 2**20 and machine.peak_bytes(tmp_path) == 2**21
    (tmp_path / "proc/self/status").unlink()
    assert machine.resident_bytes(tmp_path) is None


def test_this_machine_has_a_name_and_cores():
    assert machine.device_name() and machine.system_name()
    assert 1 <= machine.cores() <= os.cpu_count()
