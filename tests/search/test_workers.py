"""Workers change nothing but how long a search takes, whatever becomes of them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
import torch

import duonas
from duonas.core import plugin
from duonas.core.couplings import NestedPairs
from duonas.core.errors import DuonasError
from duonas.core.plugin import load_plugin
from duonas.core.progress import Silent
from duonas.core.rng import stream
from duonas.data.images import Images
from duonas.data.ondisk import OnDisk
from duonas.recipe.locations import first_difference
from duonas.recipe.schema import options_for
from duonas.routing.routers.confidence import Confidence
from duonas.search import cluster
from duonas.search.cluster import check_cluster
from duonas.search.evaluate import Evaluator
from duonas.search.options import SearchOptions
from duonas.search.workers import LOSSES, Ahead, Processes, WorkerLost, Workers, packed, unpacked
from duonas.spaces.mobilenet import MobileNet
from duonas.supernet.pair import PairSupernet

LOGITS = {"logits": lambda subnet, logits: logits}
OPTIONS = SearchOptions(recalibration_images=24, batch_size=8)
TABLE = MobileNet.Options(preset="digits", axes={"depth": [1, 2], "kernel": [3]})
RUN = ["train.epochs=1", "train.batch_size=32", "search.evaluations=8", "search.population=4", "threads=1",
       "search.recalibration_images=64", "space.axes={depth = [1, 2], kernel = [3], expansion = [1, 2]}"]  # fmt: skip
COMPARED = ("front.json", "trials.parquet", "archs.parquet")


def images(n, seed):
    rng = stream(seed, "images")
    pixels = rng.integers(0, 256, (n, 3, 8, 8), dtype=np.uint8)
    return Images(torch.from_numpy(pixels), torch.from_numpy(rng.integers(0, 4, n)))


@pytest.fixture(scope="module")
def supernet():
    space = MobileNet.space(TABLE, 8, 4)
    return PairSupernet(NestedPairs(space), MobileNet.supernet(space, (0.5,) * 3, (0.25,) * 3, stream(0), TABLE))


@pytest.fixture
def real(supernet, tmp_path):
    return Evaluator(supernet, images(500, 1).pixels, images(20, 2), tmp_path / "logits", OPTIONS, "weights")


@pytest.fixture(scope="module")
def subnets(supernet):
    drawn = [supernet.pairs.sample_subnet("big", stream(seed)) for seed in range(30)]
    return list(dict.fromkeys(drawn))[:7]


@pytest.fixture(scope="module")
def expected(supernet, subnets):
    """What they answer."""
    real = Evaluator(supernet, images(500, 1).pixels, images(20, 2), None, OPTIONS, "weights")
    return [real.answers(subnet) for subnet in subnets]


class Fragile(Workers):
    """Two workers in this process, of which those with these numbers are lost."""

    def __init__(self, evaluator, lost=()):
        self.warned, self.closed, self.started, self.most, self._lost = [], False, Counter(), 0, set(lost)
        super().__init__(2, self.warned.append)
        self._evaluator = evaluator

    def close(self):
        self.closed = True

    def _start(self, subnet):
        self.started[subnet] += 1
        self.most = max(self.most, len({*self._begun, subnet}))
        return self.started.total(), subnet

    def _result(self, begun):
        if begun[0] in self._lost:
            raise WorkerLost
        return self._evaluator.answers(begun[1])

    def _renew(self):
        pass


@pytest.mark.parametrize("lost", [(), (1,), (3, 5), range(2, 99)])
def test_what_a_lost_worker_had_is_done_again(lost, real, subnets, expected):
    """By another one; and here, where workers are lost one after the other."""
    workers = Fragile(real, lost)
    ahead = Ahead(real, workers)
    ahead.ahead({subnet: ("logits",) for subnet in subnets})
    found = [ahead.evaluate(subnet, LOGITS).readings["logits"] for subnet in subnets]
    assert all((ours == theirs).all() for ours, theirs in zip(found, expected, strict=True))
    given_up = len(lost) > LOSSES
    assert len(workers.warned) == given_up == workers.closed and workers.most <= 4
    assert given_up or set(workers.started) == set(subnets)
    assert given_up or (workers.started.total() > len(subnets)) == bool(lost)


def test_what_is_in_the_cache_is_begun_by_no_worker(real, subnets):
    for subnet in subnets[:3]:
        real.evaluate(subnet, LOGITS)
    real.evaluate(subnets[3])  # without the reading that is wanted
    workers = Fragile(real)
    ahead = Ahead(real, workers)
    ahead.ahead({subnet: ("logits",) for subnet in subnets})
    assert [ahead.evaluate(subnet, LOGITS).known for subnet in subnets] == [True] * 3 + [False] * 4
    assert set(workers.started) == set(subnets[3:])


def test_a_search_tells_workers_all_that_it_will_ask(search, pairs, evaluator):
    """And finds the same as without them."""
    options = options_for("search", evaluations=24, population=8)
    alone = search(pairs, evaluator, options, (Confidence("margin"),), 0)
    asked, begun = list(evaluator.asked), []
    evaluator.asked.clear()
    evaluator.ahead = begun.extend
    assert search(pairs, evaluator, options, (Confidence("margin"),), 0) == alone
    assert begun == evaluator.asked == asked


def test_an_evaluator_is_packed_with_its_own_images_and_parts_alone(real, subnets, tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text("class Own:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugin, "_sources", {})  # without the parts of other tests
    real.own = load_plugin("own.py:Own", "key")()
    given = packed(real)
    assert len(given) < 3 * 24 * 8 * 8 + 3 * 20 * 8 * 8 + len(pickle.dumps(real.supernet)) + 10_000
    (tmp_path / "own.py").unlink()
    monkeypatch.delitem(sys.modules, "own.py")
    plugin._module.cache_clear()  # as in a new process
    again = unpacked(given)
    assert type(again.own).__name__ == "Own" and again.folder is None
    assert (again.answers(subnets[0]) == real.answers(subnets[0])).all()


def test_images_on_disk_are_opened_again(tmp_path):
    whole = stream(0).integers(0, 256, (6, 3, 4, 4), np.uint8)
    (tmp_path / "pixels").write_bytes(whole.tobytes())
    (stored,) = OnDisk.open(tmp_path / "pixels", 6, [4])
    given = pickle.dumps(stored[np.array([4, 1])])
    assert len(given) < 1500 and (pickle.loads(given).read().numpy() == whole[[4, 1]]).all()


@pytest.mark.slow
def test_a_process_answers_to_the_bit_and_ends(real, subnets, expected):
    workers = Processes(real, 1, pytest.fail)
    workers.begin(subnets)
    found = [workers.logits(subnet) for subnet in subnets[:4]]
    assert all((ours == theirs).all() for ours, theirs in zip(found, expected, strict=False))
    assert multiprocessing.active_children()
    workers.close()  # while it has some
    assert not multiprocessing.active_children()


def test_another_number_of_workers_goes_on_with_the_same_run():
    recipe = duonas.load_recipe("digits", RUN)
    assert first_difference(recipe, duonas.load_recipe("digits", [*RUN, "search.workers=2"])) is None
    assert first_difference(recipe, duonas.load_recipe("digits", [*RUN, "search.ray=auto", "threads=2"])) is None
    assert first_difference(recipe, duonas.load_recipe("digits", [*RUN, "search.evaluations=9"])) is not None


def test_a_cluster_that_is_not_there_is_said_at_once(monkeypatch):
    class Stub:
        @staticmethod
        def is_initialized():
            return False

    monkeypatch.setitem(sys.modules, "ray", Stub)
    monkeypatch.setattr(cluster, "find_spec", lambda name: Stub)
    for address in ("127.0.0.1:9", "nobody", "127.0.0.1:port"):
        with pytest.raises(DuonasError, match=f"there is no cluster at {address}: begin one by `ray start --head`"):
            check_cluster(address)
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(DuonasError, match=r"needs Ray, which pip install 'duonas\[ray\]' installs"):
        check_cluster("auto")


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_said_before_any_training(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(DuonasError, match=r"there is no cluster at 127.0.0.1:9"):
        duonas.run(duonas.load_recipe("digits", [*RUN, "search.ray=127.0.0.1:9"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def files(run):
    cache = sorted((run / "logits").iterdir())
    return {path.name: path.read_bytes() for path in [*cache, *(run / name for name in COMPARED)]}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A search without workers."""
    run = tmp_path_factory.mktemp("alone") / "run"
    duonas.run(duonas.load_recipe("digits", RUN), run, until="search")
    return run


class Killing(Silent):
    """Kills workers when a search has tried this many pairs."""

    def __init__(self, after, victims):
        self.after, self.victims, self.killed, self.warned = after, victims, [], []

    def warn(self, sentence):
        self.warned.append(sentence)

    def stage(self, name):
        return _Stage(self, name)


class _Stage:
    def __init__(self, watch, name):
        self.watch, self.name = watch, name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __call__(self, done, total, **figures):
        if self.name == "search" and done == self.watch.after and total == 8:
            for pid in self.watch.victims():
                os.kill(pid, signal.SIGKILL)
                self.watch.killed.append(pid)


@pytest.mark.slow
def test_a_killed_worker_changes_no_bit_of_a_run(alone, tmp_path):
    watch = Killing(3, lambda: [each.pid for each in multiprocessing.active_children()][:1])
    recipe = duonas.load_recipe("digits", [*RUN, "search.workers=2"])
    duonas.run(recipe, tmp_path / "run", until="search", progress=watch)
    assert watch.killed and files(tmp_path / "run") == files(alone)
    assert not [said for said in watch.warned if "ended" in said]
    assert not multiprocessing.active_children()


def children(pid):
    """The processes below one, by their names and numbers."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,stat="], capture_output=True, text=True, check=True, timeout=600
    ).stdout
    return [int(row[0]) for row in map(str.split, listed.splitlines()) if row[1] == str(pid) and row[2][0] != "Z"]


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_run_that_ends_in_the_middle(how, alone, tmp_path):
    run = tmp_path / "run"
    given = ["-m", "duonas", "search", "digits", "--out", str(run), *(f"--set={each}" for each in RUN)]
    given = [*given, "--set=search.workers=2"]
    process = subprocess.Popen([sys.executable, *given], stderr=subprocess.PIPE, start_new_session=True)
    while not (run / "logits").is_dir() or len(list((run / "logits").iterdir())) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    begun = children(process.pid)
    assert len(begun) >= 2
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.send_signal(how)
    said = process.communicate(timeout=60)[1].decode()
    end = time.monotonic() + 20
    while any(map(runs, begun)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in begun if runs(pid)] and "Traceback" not in said
    duonas.run(duonas.load_recipe("digits", RUN), run, until="search")  # goes on without workers
    assert files(run) == files(alone)


@pytest.mark.slow
def test_two_ray_workers_of_which_one_is_killed_change_no_bit(alone, tmp_path):
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        watch = Killing(3, lambda: ray_workers()[:1])
        recipe = duonas.load_recipe("digits", [*RUN, "search.ray=auto"])
        duonas.run(recipe, tmp_path / "run", until="search", progress=watch)
        assert watch.killed and files(tmp_path / "run") == files(alone)
    finally:
        ray.shutdown()


def ray_workers():
    listed = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True, check=True, timeout=600).stdout
    rows = (row.split(maxsplit=1) for row in listed.splitlines())
    return [int(pid) for pid, name in rows if name.startswith("ray::_answer")]
