"""Two networks that one has become a routed bundle: the laws of a searched pair hold for a given one."""

from __future__ import annotations

import shutil

import numpy as np
import onnx
import pytest
import torch

import duonas
from duonas.core.errors import DuonasError
from duonas.core.files import read_json
from duonas.core.progress import Silent
from duonas.deploy.bundle import check_files
from duonas.deploy.kit import write_kit
from duonas.deploy.quantize import in_int8 as in_int8_of
from duonas.deploy.quantize import prepared, ranges_of
from duonas.given.network import read
from duonas.given.tried import tried
from duonas.pair.onnx_network import OnnxNetwork
from duonas.pair.options import NetworkOptions, spelled
from duonas.pair.pair import Pair
from duonas.pipeline.profile import profile
from duonas.recipe.cascade import cascade
from duonas.recipe.read import load
from duonas.rundir.folder import RunFolder
from duonas.runtime import Bundle
from support.graphs import COLOURS, classifier, colour_classifier, colour_images

QUICK = ["measure.latency_images=5", "measure.throughput_batches=2", "export.stored_images=4", "route.share=60%",
         "pair.given.seconds=0.02"]  # fmt: skip
SIDE = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of three colours, and networks that see every fifth, third, second and every pixel."""
    folder = tmp_path_factory.mktemp("given")
    colour_images(folder / "images")
    onnx.save(colour_classifier(5), folder / "little.onnx")
    onnx.save(colour_classifier(3, hidden=4, nhwc=True, side=12), folder / "middle.onnx")
    onnx.save(colour_classifier(1, hidden=32, softmax=True, batch=1), folder / "big.onnx")
    return folder


def recipe_of(folder, *overrides, little=("little.onnx", "middle.onnx"), big=("big.onnx", "middle.onnx")):
    networks = ([str(folder / each) for each in role] for role in (little, big))
    return cascade(*networks, folder / "images", [*QUICK, *overrides])


@pytest.fixture(scope="module")
def run(folder):
    return duonas.run(recipe_of(folder), folder / "run", progress=False)


@pytest.fixture(scope="module")
def images(folder):
    rng = np.random.default_rng(1)
    return np.clip(0.35 + 0.25 * rng.standard_normal((40, 3, SIDE, SIDE)), 0, 1).astype(np.float32)


def itself(folder, name, images):
    """What a file answers by itself for images (N, 3, 16, 16), one at a time."""
    model = onnx.load(folder / name)
    if name == "middle.onnx":
        resize = torch.nn.functional.interpolate(torch.from_numpy(images), size=(12, 12), mode="bilinear")
        images = resize.permute(0, 2, 3, 1).contiguous().numpy()
    network = OnnxNetwork(model)
    return np.concatenate([network(torch.from_numpy(image[None])).numpy() for image in images])


def chances(logits):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def test_no_stage_trains_and_every_other_is_done(run):
    assert run.stages == ("search", "pair", "route", "export", "measure", "report")
    assert run.measure["coupling"] == "given" and run.verdict["sentence"]
    assert 0 < run.measure["routed"]["little_share"] < 1
    assert sorted(path.name for path in (run / "pair").glob("*.onnx")) == ["big.onnx", "little.onnx"]
    facts = run.pair.facts
    assert facts.coupling == "given" and facts.class_names == COLOURS and facts.preprocessing.image_size == SIDE
    assert facts.costs.keys() == {"macs", "latency_ms"} and facts.cost.big == facts.networks["big"].macs


def test_at_its_ends_the_bundle_answers_as_the_given_files_do(run, folder, images):
    """Law 2, through resizing, transposing, a batch of 1 and a softmax that was taken off."""
    chosen = {role: run.pair.facts.archs[role]["values"]["network"] for role in ("little", "big")}
    bundle = run.bundle
    for tau, role in ((-np.inf, "little"), (np.inf, "big")):
        bundle.tau = tau
        found = bundle.predict(images)
        expected = itself(folder, f"{chosen[role]}.onnx", images)
        expected = expected if np.allclose(expected.sum(1), 1) else chances(expected)
        np.testing.assert_allclose(chances(found.logits), expected, atol=1e-4)
        assert found.is_little.all() == (role == "little") and found.is_little.any() == (role == "little")


def test_routing_does_not_depend_on_batch_mates(run, images):
    """Laws 3 and 4: one at a time, all at once, none, and in PyTorch."""
    bundle = run.bundle
    whole = bundle.predict(images)
    assert 0 < whole.is_little.sum() < len(images)
    single = [bundle.predict(image[None]) for image in images]
    np.testing.assert_allclose(whole.logits, np.concatenate([each.logits for each in single]), atol=1e-4)
    unsure = np.abs(whole.score - bundle.tau) < 1e-4
    alone = np.concatenate([each.is_little for each in single])
    assert (alone == whole.is_little)[~unsure].all() and unsure.sum() < 3
    assert bundle.predict(images[:0]).logits.shape == (0, 3)
    with torch.inference_mode():
        both = run.pair(torch.from_numpy(images))
    chosen = np.where(whole.is_little[:, None], both.little.numpy(), both.big.numpy())
    np.testing.assert_allclose(whole.logits, chosen, atol=1e-3)


def test_every_pair_was_scored_and_the_report_shows_them(run):
    front = read_json(run / "front.json")
    assert front["scored_pairs"] == 3 and front["device"]["given"] == 3 and front["evaluated_archs"] == 4
    assert len(run.trials) == 3 and {row["network"] for row in run.archs} == {"little", "middle", "big"}
    page = (run / "report.html").read_text(encoding="utf-8")
    for words in (
        "The networks that were given",
        "All pairs of them",
        "Nothing was trained",
        "takes 12 x 12 of",
    ):
        assert words in page
    assert "supernet" not in run.explain() and "Times are of the networks alone on this machine" in run.explain()


def test_a_run_goes_on_where_it_was_killed(run, folder, tmp_path):
    """Law 8: without its later files the run makes the same bytes again, and needs the networks only for the pair."""
    copy = shutil.copytree(run.folder, tmp_path / "run")
    shutil.rmtree(copy / "pair")
    before = {name: (run / "pair" / name).read_bytes() for name in ("little.onnx", "big.onnx", "pair.json")}
    again = duonas.run(load(copy), copy, until="export", progress=False)
    assert {name: (again / "pair" / name).read_bytes() for name in before} == before
    assert (again / "export" / "big.onnx").read_bytes() == (run / "export" / "big.onnx").read_bytes()
    assert Pair.load(copy / "pair").facts == run.pair.facts


def test_another_threshold_takes_seconds(run, tmp_path):
    copy = shutil.copytree(run.folder, tmp_path / "run")
    again = duonas.rechoose(copy, share="90%", progress=False)
    assert check_files(copy / "export") and again.bundle.tau != run.bundle.tau
    assert again.recipe.pair == run.recipe.pair


def test_a_finished_run_is_a_network(run, images, tmp_path):
    """Its little is a little and its big a big, with all that is known of it; in another order or a bundle, too."""
    for options, role in (
        (spelled(str(run.folder), "little"), "little"),
        (spelled({"run": str(run.folder), "role": "little"}, "big"), "little"),
        (spelled(str(run / "export"), "big"), "big"),
    ):
        network = NetworkOptions(**options)
        found = read(network, 18)
        assert found.wants.classes == COLOURS and found.wants.size == SIDE and not found.wants.unknown
        logits, _ = tried(found, network, images[:4], COLOURS, 18)
        bundle = run.bundle
        bundle.tau = -np.inf if role == "little" else np.inf
        expected = bundle.predict(images[:4]).logits
        np.testing.assert_allclose(logits(torch.from_numpy(images[:4])).numpy(), expected, atol=1e-4)
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    (copy / "export" / "big.onnx").write_bytes(b"another")
    for folder, message in ((copy, "is not the file that policy.json was written with"),
                            (tmp_path, "is neither a run nor a bundle: expected an ONNX file")):  # fmt: skip
        with pytest.raises(DuonasError, match=message):
            read(NetworkOptions(**spelled(str(folder), "big")), 18)
    shutil.rmtree(copy / "export")
    with pytest.raises(DuonasError, match="has no export yet: finish it first with `duonas export"):
        read(NetworkOptions(**spelled(str(copy), "big")), 18)


def test_modules_become_files_of_the_run(folder, run, tmp_path, monkeypatch):
    """And where the run is refused, none are left; what a killed start left is no obstacle."""
    monkeypatch.setattr("duonas.given.handed.exported", lambda *_: colour_classifier(5))
    little, big, place = {"module": torch.nn.Identity(), "size": SIDE}, folder / "big.onnx", tmp_path / "new" / "run"
    for images, message in ((tmp_path / "none", "none"), (folder / "images", "route.share")):
        with pytest.raises(DuonasError, match=message):
            duonas.cascade(little, big, images, place, share="200%", overrides=QUICK)
        assert not place.exists()
    begun = []
    monkeypatch.setattr("duonas.api.cascade.run", lambda recipe, *_, **__: begun.append(recipe))
    (place / "networks").mkdir(parents=True)
    (place / "networks" / "little-1.onnx").write_bytes(b"left by a killed start")
    duonas.cascade([little, run], big, folder / "images", place, share="50%")
    first, second = begun[0].pair.given.little
    assert first.file == str(place / "networks" / "little-1.onnx") and first.size == SIDE
    assert (second.run, second.role) == (str(run.folder), "little")
    with RunFolder.open(place, begun[0]) as opened:
        assert opened.stages == {}


def test_other_files_are_another_run(run, folder):
    path = folder / "little.onnx"
    before = path.read_bytes()
    try:
        onnx.save(colour_classifier(4), path)
        with pytest.raises(DuonasError, match=r"the file of pair\.given\.little\.0\.file is not that with which"):
            duonas.run(recipe_of(folder), folder / "run", progress=False)
    finally:
        path.write_bytes(before)
    with pytest.raises(DuonasError, match="was made by another recipe"):
        duonas.run(recipe_of(folder, little=("little.onnx",)), folder / "run", progress=False)


def test_a_moved_network_is_the_same(run, folder, tmp_path):
    elsewhere = shutil.copytree(folder, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("run"))
    copy = shutil.copytree(run.folder, tmp_path / "run")
    assert duonas.run(recipe_of(elsewhere), copy, progress=False).stages == run.stages


def five_classes(folder):
    onnx.save(classifier(classes=5, side=SIDE), folder / "five.onnx")
    return {"big": ("five.onnx",)}


def quantised(folder):
    model = prepared(colour_classifier(4))
    pixels = np.random.default_rng(0).random((4, 3, SIDE, SIDE), dtype=np.float32)
    onnx.save(in_int8_of(model, ranges_of(model, [pixels], "little")), folder / "integers.onnx")
    return {"little": ("integers.onnx",), "big": ("big.onnx",)}


@pytest.mark.parametrize(("change", "overrides", "message"), [
    (five_classes, [], r"five\.onnx has 5 outputs, but the images have 3 classes"),
    (lambda folder: {"little": ("none.onnx",)}, [], r"there is no network .*none\.onnx"),
    (lambda folder: {"little": ("big.onnx",), "big": ("big.onnx",)}, [], "needs two different networks"),
    (lambda folder: {}, ["route.position=stem", "route.router=random"], "given networks share nothing"),
    (lambda folder: {}, ["search.constraints.peak_macs=100"], "peak_macs = 100 cannot be met: the smallest pair"),
    (lambda folder: {}, ["route.share=", "route.floor=99.9%"], "99.9"),
    (quantised, ["export.precision=int8"], r"integers\.onnx is quantised to integers already, so it cannot"),
    (lambda folder: {}, ['export.targets=["litert"]'], "files of 'litert' are made of PyTorch modules, and networks"),
])  # fmt: skip
def test_what_profile_refuses_run_refuses_before_any_work(change, overrides, message, folder, tmp_path):
    """Law 13."""
    recipe = recipe_of(folder, *overrides, **change(folder))
    with pytest.raises(DuonasError, match=message) as refused:
        duonas.run(recipe, tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
    try:
        said = profile(recipe).refusal
    except DuonasError as error:
        said = str(error)
    assert said == str(refused.value)


def test_profile_tells_of_the_networks(folder):
    found = profile(recipe_of(folder))
    assert (found.archs, found.little_archs, found.pairs, found.refusal) == (2, 2, 3, None)
    assert found.figures["macs"].most > found.little_figures["macs"].least and "latency_ms" in found.figures
    assert "middle.onnx takes 12 x 12 of 16 x 16" in found.prices


def test_a_budget_in_time_chooses_among_the_pairs(folder):
    recipe = recipe_of(folder, "route.share=", "route.budget=5ms")
    assert profile(recipe).refusal is None
    with pytest.raises(DuonasError, match="needs a device table with figures of latency_ms"):
        profile(recipe_of(folder, "route.share=", "route.budget=5ms", "search.device.table=none"))


@pytest.mark.parametrize(("overrides", "message"), [
    (["finetune.mode=joint"], r"\[finetune\] mode must be 'none'"),
    (["budget.minutes=5"], r"\[budget\] minutes divides the time of training"),
    (["search.device.table=table.csv"], r"\[search\.device\] table has times of blocks"),
    (["pair.coupling=nested"], "coupling must be 'given', got 'nested'"),
    (['pair.given.little=[{ file = "a.onnx", sise = 3 }]'], "there is no key 'sise': did you mean 'size'"),
    (["pair.given.little=3"], r"\[pair\.given\] little must be a text or a table, got 3"),
    (["pair.given.big=[]"], r"needs the networks"),
])  # fmt: skip
def test_wrong_recipes_are_refused(overrides, message):
    with pytest.raises(DuonasError, match=message):
        load("cascade", overrides)


def test_a_recipe_is_the_same_after_it_was_written(folder, tmp_path):
    table = {
        "file": str(folder / "little.onnx"),
        "size": 16,
        "mean": [0.5],
        "classes": list(COLOURS),
        "range": [0, 255],
    }
    recipe = cascade(table, folder / "big.onnx", folder / "images")
    assert recipe.pair.given.little[0].mean == (0.5,) and recipe.finetune.mode == "none"
    with RunFolder.open(tmp_path / "run", recipe):
        pass
    assert load(tmp_path / "run") == recipe
    with pytest.raises(DuonasError, match="little must be a file, timm:NAME"):
        cascade(torch.nn.Identity(), "big.onnx")


@pytest.fixture(scope="module")
def in_int8(folder):
    """The same networks in int8, for a target that knows no branch, too."""
    overrides = ["export.precision=int8", "export.layer_images=4", 'export.targets=["split"]', "export.buckets=[1, 4]",
                 "search.device.table=none"]  # fmt: skip
    recipe = recipe_of(folder, *overrides, little=("little.onnx",), big=("big.onnx",))
    with pytest.MonkeyPatch.context() as patch:
        said = []
        patch.setattr(Silent, "warn", lambda self, sentence: said.append(sentence))
        run = duonas.run(recipe, folder / "int8", until="export", progress=Silent())
    assert sum("the scales of the integers are taken from only" in each for each in said) == 1
    return run


def test_given_networks_in_int8_are_routed_as_they_are_quantised(in_int8, images):
    """Laws 2 and 4 for a pair that is given, quantised, exported in two forms, and carried in a kit."""
    found = read_json(in_int8 / "quantized.json")
    assert found["networks"]["big"]["accuracy"] > 0.6 and {row["part"] for row in found["layers"]} == {"little", "big"}
    whole, parts = in_int8.bundle, Bundle.load(in_int8 / "export", engine="split")
    for tau in (-np.inf, whole.tau, np.inf):
        whole.tau = parts.tau = tau
        answers, others = whole.predict(images), parts.predict(images)
        np.testing.assert_array_equal(answers.is_little, others.is_little)
        np.testing.assert_allclose(answers.logits, others.logits, atol=1e-4)
    with torch.inference_mode():
        both = in_int8.deployed(torch.from_numpy(images))
    np.testing.assert_allclose(whole.predict(images).logits, both.big.numpy(), atol=1e-4)
    assert np.abs(both.big.numpy() - in_int8.pair(torch.from_numpy(images)).big.numpy()).max() > 1e-3
    kit = write_kit(in_int8 / "export", in_int8 / "kit.zip")
    assert kit.tested.startswith("Self-test passed: on 4 stored images")
