"""Memory grows with the batch, not with the data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from speedwell.training.learner import Learner
from speedwell.training.recipe import Recipe

from .conftest import learner_of, random_batch


@pytest.mark.slow
def test_a_gigabyte_of_pictures_trains_inside_one_and_a_half(tmp_path):
    script = Path(__file__).with_name("memory_process.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=900, check=True
    )
    said = json.loads(done.stdout)
    assert said["data"] > 0.99 * 2**30
    assert said["held"] < 1.5 * 2**30, f"{said['held'] / 2**30:.2f} GiB"


class Hungry(Learner):
    """Runs out of memory where more than three samples are computed at once."""

    def _loss(self, part):
        if len(part) > 3:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried ...")
        return super()._loss(part)


def test_a_batch_that_does_not_fit_is_computed_in_parts_with_a_warning():
    told: list[str] = []
    plain = learner_of(Recipe(batch=12))
    hungry = Hungry(plain.network, plain.loss, plain.recipe, plain.signature, halved=told.append)
    done = hungry.step(random_batch(1, 12), 12, 0, 0.01)
    assert done.skip is None
    assert hungry.parts == 4
    assert len(told) == 2
    assert "12 does not fit" in told[0]
    assert "in 4 parts" in told[1]
    hungry.step(random_batch(2, 12), 12, 1, 0.01)
    assert len(told) == 2  # it knows now


def test_another_failure_is_not_taken_for_a_lack_of_memory():
    class Broken(Learner):
        def _loss(self, _):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    plain = learner_of(Recipe(batch=12))
    broken = Broken(plain.network, plain.loss, plain.recipe, plain.signature)
    with pytest.raises(RuntimeError, match="mat1"):
        broken.step(random_batch(1, 12), 12, 0, 0.01)


def test_one_sample_that_does_not_fit_is_the_end():
    class Starved(Learner):
        def _loss(self, _):
            raise MemoryError

    plain = learner_of(Recipe(batch=4))
    starved = Starved(plain.network, plain.loss, plain.recipe, plain.signature, halved=lambda _: None)
    with pytest.raises(MemoryError):
        starved.step(random_batch(1, 4), 4, 0, 0.01)


@pytest.mark.slow
def test_a_real_limit_of_memory_is_met_with_smaller_parts(tmp_path):
    script = tmp_path / "limited.py"
    script.write_text(
        "import resource, sys, numpy as np, torch\n"
        "from speedwell.core.signature import Signature, TensorSpec\n"
        "from speedwell.training.batch import Batch\n"
        "from speedwell.training.learner import Learner\n"
        "from speedwell.training.losses.classification import ClassLoss\n"
        "from speedwell.training.recipe import Loss, Recipe\n"
        "torch.set_num_threads(1)\n"
        "net = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 3,"
        " padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 2))\n"
        "sig = Signature((TensorSpec('input', 'float32', ('batch', 3, 64, 64)),), ())\n"
        "learner = Learner(net, ClassLoss(Loss()), Recipe(batch=256), sig)\n"
        "small = Batch({'input': torch.zeros(2, 3, 64, 64)}, torch.zeros(2, dtype=torch.int64), np.arange(2))\n"
        "learner.step(small, 2, 0, 0.01)\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (400 << 20), now + (400 << 20)))\n"
        "big = Batch({'input': torch.zeros(256, 3, 64, 64)}, torch.zeros(256, dtype=torch.int64), np.arange(256))\n"
        "done = learner.step(big, 256, 1, 0.01)\n"
        "print('parts', learner.parts, done.skip, np.isfinite(done.loss))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    words = done.stdout.splitlines()[-1].split()
    assert int(words[1]) > 1
    assert words[2:] == ["None", "True"]
    assert "does not fit in memory" in done.stdout
