from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import save_file

from duonas.testing import TermContract
from duonas.testing.terms import CLASSES
from duonas.training.terms.teacher import Teacher

NAME = "test_efficientnet"  # timm's least


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model(NAME, num_classes=CLASSES)
    path = tmp_path_factory.mktemp("teacher") / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    return path


class TestTeacher(TermContract):
    @pytest.fixture(autouse=True)
    def file(self, weights):
        self.path = str(weights)

    def term(self):
        return Teacher(Teacher.Options(teacher=NAME, teacher_file=self.path, teacher_size=32))

    def test_both_networks_learn_from_it_and_it_from_nobody(self):
        batch, term = self.batch(), self.term()
        term(batch).backward()
        assert batch.little.grad.any() and batch.big.grad.any()
        soft = term._logits(batch.images, CLASSES)
        assert not soft.requires_grad
        expected = batch.taught(batch.little, soft) + batch.taught(batch.big, soft)
        torch.testing.assert_close(term(batch), expected)

    def test_the_images_of_a_step_are_classified_once(self):
        term, batch = self.term(), self.batch()
        first = term._logits(batch.images, CLASSES)
        assert term._logits(batch.images, CLASSES) is first
        assert term._logits(batch.images.clone(), CLASSES) is not first
