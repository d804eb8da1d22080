"""A search space of one's own that cannot work is told before anything is trained, by ``profile`` as by ``run``."""

from __future__ import annotations

from pathlib import Path

import pytest

import duonas
from duonas.core.errors import DuonasError

EXAMPLES = Path(__file__).parents[2] / "examples"

INHERITED = """
from dataclasses import dataclass
from duonas.spaces.mobilenet import MobileNet, MobileNetSpace, Preset, Stage

class Slim(MobileNet):
    '''Ignores all keys but stages.'''
    @dataclass(frozen=True)
    class Options(MobileNet.Options):
        stages: int = 2
        '''Stages.'''

    @classmethod
    def space(cls, options, image_size, classes):
        stages = tuple(Stage(channels, 2) for channels in (16, 24, 40)[: options.stages])
        outline = Preset(image_size, 8, 1, stages, 2, (image_size,), depths=(1, 2), kernels=(3,), expansions=(1, 2))
        return MobileNetSpace(outline, image_size, classes)
"""


def changed(tmp_path, *replacements):
    """The example's space, with some text replaced."""
    text = (EXAMPLES / "own_space.py").read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "space.py"
    path.write_text(text)
    return [f"space.name={path}:Plain"]


def refused(tmp_path, overrides, message):
    recipe = duonas.load_recipe("digits", overrides)
    with pytest.raises(DuonasError, match=message):
        duonas.profile(recipe)
    with pytest.raises(DuonasError, match=message):
        duonas.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["own_space.py:Plain", "own_outline.py:Slim"])
def test_the_examples_pass(name):
    assert duonas.profile(duonas.load_recipe("digits", [f"space.name={EXAMPLES / name}"])).archs > 100


@pytest.mark.parametrize("key", ["preset=nonsense", "axes={width = [0.5]}", "width_range=[0.5, 1.0]"])
def test_a_key_that_nothing_reads_is_refused(tmp_path, key):
    path = tmp_path / "slim.py"
    path.write_text(INHERITED)
    overrides = [f"space.name={path}:Slim", "space.preset=", "space.axes=", f"space.{key}"]
    refused(tmp_path, overrides, rf"\[space\] {key.partition('=')[0]} = .* has no effect: .*slim.py:Slim does not read")


def test_keys_that_are_read_are_accepted(tmp_path):
    path = tmp_path / "slim.py"
    path.write_text(INHERITED)
    overrides = [f"space.name={path}:Slim", "space.preset=", "space.axes=", "space.stages=3", "space.norm=switchable"]
    assert duonas.profile(duonas.load_recipe("digits", overrides)).archs > 1


def test_a_forgotten_whole_is_told(tmp_path):
    """Blocks of two kinds, of which the largest arch has one."""
    start = 'super().__init__("plain"'
    overrides = changed(
        tmp_path,
        (start, f'axes.append(Axis("kind", ("a", "b"), weightless=()))\n        {start}'),
        ('f"stage{stage}_conv{index}"', "f\"stage{stage}_conv{index}{self.value(arch, 'kind')}\""),
    )
    refused(tmp_path, overrides, r"has block 'stage1_conv0a', which whole\(\) does not have; .* override whole\(\)")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("return self.conv(x, spec", "return self.conf(x, spec", "cannot be computed: AttributeError: .*'conf'"),
        ("return PlainBlock(", "raise ValueError('no\\nblock'); (", "cannot be built: ValueError: no."),
        ('ConvNorm(largest["conv"]', 'ConvNorm(largest["convolution"]', "cannot be built: KeyError: 'convolution'"),
        ("return self.conv(x, spec", "return 2 * self.conv(x, spec", "network gives other logits than the supernet"),
        ("2 * last.out_channels, self.classes,", "2 * last.out_channels, 7,", r"shape \(2, 7\), expected \(2, 10\)"),
        ("return self.conv(x, spec", "raise SystemExit(0); (", "cannot be computed: SystemExit: 0"),
        ("return tuple(blocks)", "return blocks", r"blocks\(\) must return a tuple of BlockSpec"),
        ("return PlainSpace(image_size, classes)", "pass", r"space\(\) must return a SearchSpace, got NoneType"),
        ("PlainSpace(image_size, classes)", "PlainSpace(16, classes)", "was given image_size = 8, its space has 16"),
        ("PlainSpace(image_size, classes)", "PlainSpace(image_size, 11)", "was given classes = 10, its space has 11"),
    ],
)
def test_what_fails_is_one_sentence(tmp_path, old, new, message):
    refused(tmp_path, changed(tmp_path, (old, new)), message)
