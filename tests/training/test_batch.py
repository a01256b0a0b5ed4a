from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.inputs import EncodedSplit, ImageTransform, Samples, TextTransform
from speedwell.training.augment.images import augmented
from speedwell.training.batch import ArrayBatches, ImageBatches, batch_maker
from speedwell.training.layout import in_layout, layout_of
from speedwell.training.recipe import Augment
from speedwell.training.vocabulary import learn_tokenizer

from .conftest import coloured_squares, small

TEXTS = ["the cat sat", "a dog ran far away from the cat", "birds", "the dog sat on the cat and the bird sang"] * 5


@pytest.fixture
def texts(tmp_path) -> EncodedSplit:
    tokenizer = learn_tokenizer(TEXTS, tmp_path / "tokenizer.json", 200).read_text()
    roles = {"input_ids": "input_ids", "attention_mask": "attention_mask"}
    transform = TextTransform(roles, tokenizer, 32)
    samples = Samples(lambda i: f"{TEXTS[i]} {i}", np.arange(20) % 2, [f"row {i}" for i in range(20)], ("a", "b"))
    return EncodedSplit.write(tmp_path / "texts", samples, np.arange(20), transform)


def test_image_batches_are_what_the_transform_gives(split):
    make = batch_maker(split, Augment())
    assert isinstance(make, ImageBatches)
    index = np.array([7, 3, 3, 39])
    batch = make(index, None)
    wanted = split.batch(index)["image"]
    assert np.abs(batch.inputs["image"].numpy() - wanted).max() <= 2 * np.spacing(np.abs(wanted).max())
    assert batch.inputs["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch.targets.tolist() == split.targets[index].tolist()
    part = batch.part(1, 3)
    assert len(part) == 2
    assert torch.equal(part.inputs["image"], batch.inputs["image"][1:3])


def test_text_batches_hide_tokens_only_in_training(texts):
    make = batch_maker(texts, Augment(drop_tokens=0.5))
    assert isinstance(make, ArrayBatches)
    index = np.arange(8)
    plain = make(index, None).inputs
    assert {n: v.numpy().tolist() for n, v in plain.items()} == {n: v.tolist() for n, v in texts.batch(index).items()}
    hidden = make(index, np.random.default_rng(0)).inputs
    assert torch.equal(hidden["input_ids"], plain["input_ids"])
    lost = (plain["attention_mask"] - hidden["attention_mask"]).sum() / plain["attention_mask"].sum()
    assert 0.2 < float(lost) < 0.6
    assert (hidden["attention_mask"][:, 0] == 1).all()


def test_a_vocabulary_follows_from_its_texts_alone(tmp_path):
    a = learn_tokenizer(TEXTS, tmp_path / "a.json", 300).read_text()
    b = learn_tokenizer(list(reversed(TEXTS)), tmp_path / "b.json", 300).read_text()
    assert a == b
    from tokenizers import Tokenizer

    found = Tokenizer.from_str(a)
    assert found.encode("The CAT sang").tokens[0] == "[CLS]"
    assert found.get_vocab_size() <= 300


@settings(deadline=None)
@given(
    st.integers(1, 5), st.integers(6, 20), st.integers(6, 20), st.sampled_from([1, 3]),
    st.builds(
        Augment, flip=st.booleans(), crop=st.integers(0, 8), zoom=st.sampled_from([1.0, 0.5]), cutout=st.integers(0, 5)
    ),
)  # fmt: skip
def test_augmentation_keeps_shape_and_type_and_the_original(n, height, width, channels, augment):
    pixels = np.random.default_rng(n).integers(0, 256, (n, height, width, channels)).astype(np.uint8)
    before = pixels.copy()
    made = augmented(pixels, augment, np.random.default_rng(1))
    again = augmented(pixels, augment, np.random.default_rng(1))
    assert made.shape == pixels.shape
    assert made.dtype == np.uint8
    assert np.array_equal(made, again)
    assert np.array_equal(pixels, before)


def test_a_flip_turns_half_of_the_images_and_nothing_else():
    pixels = np.random.default_rng(0).integers(0, 256, (400, 4, 6, 3)).astype(np.uint8)
    made = augmented(pixels, Augment(flip=True), np.random.default_rng(0))
    turned = [np.array_equal(m, p[:, ::-1]) for m, p in zip(made, pixels, strict=True)]
    kept = [np.array_equal(m, p) for m, p in zip(made, pixels, strict=True)]
    assert all(a != b for a, b in zip(turned, kept, strict=True))
    assert 150 < sum(turned) < 250


def test_a_crop_moves_by_at_most_its_padding():
    pixels = np.zeros((300, 9, 9, 1), np.uint8)
    pixels[:, 4, 4] = 255
    made = augmented(pixels, Augment(crop=2), np.random.default_rng(0))
    places = {tuple(np.argwhere(m[..., 0] == 255)[0] - 4) for m in made}
    assert len(places) == 25
    assert max(abs(d) for place in places for d in place) == 2


def test_cutout_greys_one_square_an_image():
    made = augmented(np.zeros((50, 16, 16, 3), np.uint8), Augment(cutout=4), np.random.default_rng(0))
    counts = (made[..., 0] == 114).sum(axis=(1, 2))
    assert counts.max() == 16
    assert counts.min() >= 4


def test_convolutions_are_laid_channels_last_unless_that_kills_the_process():
    assert layout_of(small(), True) == torch.channels_last
    assert layout_of(small(), False) == torch.contiguous_format
    assert layout_of(torch.nn.Linear(2, 2), True) is None
    struck = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Conv2d(8, 16, 1, 2))
    assert layout_of(struck, True) == torch.contiguous_format
    gray = torch.zeros(3, 5, 5, 1).permute(0, 3, 1, 2)
    laid = in_layout({"image": gray, "mask": torch.zeros(3, 2)}, torch.contiguous_format)
    assert laid["image"].stride() == (25, 25, 5, 1)


def test_the_layer_that_would_be_struck_trains_with_an_odd_batch():
    from speedwell.networks import build_network
    from speedwell.training.batch import Batch
    from speedwell.training.learner import Learner
    from speedwell.training.losses.classification import ClassLoss
    from speedwell.training.recipe import Loss, Recipe

    from .conftest import SIGNATURE

    network = build_network("residual", classes=4, depth=8, width=8, channels=1)
    learner = Learner(network, ClassLoss(Loss()), Recipe(batch=63), SIGNATURE)
    image = torch.randn(63, 32, 32, 1).permute(0, 3, 1, 2)
    for number in range(3):
        done = learner.step(Batch({"image": image}, torch.arange(63) % 4, np.arange(63)), 63, number, 0.1)
        assert done.skip is None


def test_gray_images_make_gray_batches(tmp_path):
    samples = coloured_squares(8)
    transform = ImageTransform("image", (8, 8), colour="gray")
    split = EncodedSplit.write(tmp_path / "gray", samples, np.arange(8), transform)
    assert batch_maker(split, Augment())(np.arange(4), None).inputs["image"].shape == (4, 1, 8, 8)


def test_the_loader_s_thread_starts_no_second_team_of_threads(tmp_path):
    """More OpenMP threads than cores sleep at every barrier: what makes batches leaves torch's parallelism alone."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "import torch\n"
        "from speedwell.inputs import EncodedSplit, ImageTransform, Samples\n"
        "from speedwell.training import Loader, batch_maker\n"
        "from speedwell.training.recipe import Augment\n"
        "torch.set_num_threads(3)\n"
        "torch.ones(1 << 20).add_(1).sum()\n"
        "pictures = np.zeros((64, 96, 96, 3), np.uint8)\n"
        "samples = Samples(lambda i: pictures[i], np.zeros(64, np.int64), [str(i) for i in range(64)], ('a',))\n"
        "split = EncodedSplit.write(Path(sys.argv[1]), samples, np.arange(64), ImageTransform('x', (96, 96)))\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "before = count()\n"
        "loader = Loader(batch_maker(split, Augment(flip=True, crop=4, zoom=0.5, cutout=8)), 64, 8, 0)\n"
        "made = loader.epoch(0)\n"
        "next(made), next(made)  # of eight, so that the loader's thread is alive\n"
        "print(count() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "s")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == 1
