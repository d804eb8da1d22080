"""Two processes on one machine: the weights of one, never apart, and an end with a word when one of them is lost."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from duonas.core.tensors import load_tensors
from duonas.rundir.folder import RunFolder

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow  # processes that each load PyTorch
RECIPE = ["train.epochs=1", "train.accelerator=cpu", "train.checkpoint_seconds=0.000001",
          "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2]}"]  # fmt: skip
TOLERANCE = 1e-5  # of any weight or statistic after 8 steps; what is measured is 7e-7: sums in another order


def free_ports(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run under torchrun, one of whose processes was killed at its fifth step; and what torchrun said."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = ["train", "digits", "--out", str(folder), *(f"--set={each}" for each in RECIPE)]
    ended = subprocess.run(
        [*torchrun, str(HERE / "killed_at_step.py"), "4", *arguments], capture_output=True, text=True, timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return folder, ended, {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def found(killed, tmp_path_factory):
    """The folder that the two processes of one_of_two.py filled; the killed run went on meanwhile."""
    folder = tmp_path_factory.mktemp("two")
    ports = ",".join(free_ports(4))
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test",
              "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}  # fmt: skip
    command = [sys.executable, str(HERE / "one_of_two.py"), str(folder), str(killed[0]), ports, *RECIPE]
    with ExitStack() as stack:
        both = []
        for rank in "01":
            output = stack.enter_context((folder / f"output{rank}.txt").open("w"))
            environment = os.environ | shared | {"RANK": rank, "LOCAL_RANK": rank}
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
            both.append(stack.enter_context(process))
            stack.callback(process.kill)
        for rank, process in enumerate(both):
            assert process.wait(timeout=600) == 0, (folder / f"output{rank}.txt").read_text()[-3000:]
    return folder


@pytest.mark.parametrize("case", ["nested", "partial"])
def test_two_processes_give_the_weights_of_one(case, found):
    """With the same global batch; crop, flip, mixup, cutmix and dropout are on, batch norms sliced or switchable."""
    one, _ = load_tensors(found / "alone" / case / "supernet.safetensors")
    two, _ = load_tensors(found / "together" / case / "supernet.safetensors")
    start, _ = load_tensors(found / f"{case}_start.safetensors")
    assert max(apart(one, start).values()) > 1000 * TOLERANCE
    assert max(apart(one, two).values()) < TOLERANCE


@pytest.mark.parametrize("case", ["uniform", "focus-fair"])
def test_two_processes_with_own_subnets_give_the_mean_of_their_steps(case, found):
    """As one process finds it by hand; with the draws of a process by itself alone they end elsewhere."""
    two, _ = load_tensors(found / "own" / case / "supernet.safetensors")
    by_hand, other = (load_tensors(found / f"{case}_by_hand{ranks}.safetensors")[0] for ranks in (2, 1))
    assert max(apart(two, other).values()) > 1000 * TOLERANCE
    assert max(apart(two, by_hand).values()) < TOLERANCE  # measured: 2e-8


def test_own_subnets_go_on_to_the_same_bits(found):
    """Stopped after five of eight steps."""
    stopped, whole = (found / part / "supernet.safetensors" for part in ("stopped", "own/focus-fair"))
    assert [(found / f"stopped{rank}.txt").read_text() for rank in (0, 1)] == ["stopped"] * 2
    assert stopped.read_bytes() == whole.read_bytes()


def test_with_own_subnets_each_process_sees_whole_batches(found):
    """Of a size that could not be split over the two."""
    run = RunFolder(found / "own_run")
    assert run.supernet.exists() and run.read_log("train")[-1]["step"] == 7


@pytest.mark.parametrize("case", ["nested", "partial", "uniform", "focus-fair", "front-images", "front-subnets"])
def test_replicas_end_with_the_same_bits(case, found):
    """Weights, and the statistics of batch norms too: it does not matter whose are saved."""
    first, second = (load_tensors(found / f"{case}{rank}.safetensors")[0] for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("drift", r"at step 4 process 1 has other weights than process 0: .* goes on from the last checkpoint"),
        ("other_folder", r"go on from different steps \(0 and 4\): all of them must see the same run folder\."),
    ],
)
def test_processes_that_differ_stop_with_one_sentence(name, message, rank, found):
    """The last bit of one weight is enough."""
    assert re.search(message, (found / f"{name}{rank}.txt").read_text())


def test_what_drifted_is_not_saved(found):
    assert load_tensors(found / "drift" / "checkpoint" / "state.safetensors")[1]["step"] == 3


def test_a_silent_process_is_not_waited_for_for_ever(found):
    assert (found / "silence0.txt").read_text().startswith("process 0 of 2 lost touch with another one")


def test_a_killed_process_stops_the_run_with_one_sentence(killed):
    _, ended, left = killed
    assert ended.returncode != 0
    said = [line for line in ended.stderr.splitlines() if line.startswith("duonas: ")]
    assert len(said) == 1, ended.stderr[-3000:]
    # Which of the two it is depends on who is faster: the lost connection, or torchrun, which ends what is left.
    lost, stopped = r"process 0 of 2 lost touch with another .* goes on from", r"stopped; repeat the command to resume"
    assert re.match(f"duonas: ({lost}|{stopped})", said[0])
    assert "checkpoint" in left and "supernet.safetensors" not in left


def test_a_killed_run_goes_on_to_the_same_bits(killed, found):
    resumed, whole = (run / "supernet.safetensors" for run in (killed[0], found / "undisturbed"))
    assert resumed.read_bytes() == whole.read_bytes()
    steps = [line["step"] for line in RunFolder(killed[0]).read_log("train")]
    assert steps == list(range(1, len(steps) + 1)) and len(steps) > 4  # one of the two wrote, and nothing twice


def apart(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> dict[str, float]:
    assert one.keys() == two.keys()
    return {name: float((value.double() - two[name].double()).abs().max()) for name, value in one.items()}
