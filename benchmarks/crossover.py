"""F4a: K candidates in one batch over the same candidates in turn, and candidates that share work over each alone.

Compared, in rounds of fresh processes, each on one core with one thread, through the package's own loader:

- ``together``: ``StackedLearner``, K networks of one shape in one batch;
- ``in turn``: ``Learner``, one network after the other on the same samples; ``plain``: the same as a bare PyTorch loop
  (fused AdamW, samples in memory, no guard), for scale;
- ``shared``: ``SharedLearner``, K ResNet-20 in turn on one batch, augmented once, with one answer of the teacher;
  ``alone``: each with a loader and a teacher of its own.

A case's ratio is the time of K candidates the second way over the first; candidates differ in learning rate. Headline:
K = 8 heads (384 features, 150 classes) and MLPs (384-256-150) over frozen features, floor 1.5; K = 8 ResNet-20 sharing
a ResNet-56 teacher, floor 1.2. The other rows are the crossover table: which K and which network pay.

Limits. Products and convolutions are the same operations in all ways: with N samples, P weights of which F are in the
first layer, a step of one candidate is 2 N (3 P - F) operations, and moves its state (values, gradient, two moments)
about 11 times 4 P bytes: weights read forward and backward, gradient written, read for its norm and for the update,
values and moments read and written. What one batch saves is what a step costs beside that: calls, autograd, the
loader, about 0.5 ms a step alone. So the ratio ends at (least + what is beside) / least, where ``least`` is operations
over the rate of a product of that shape plus bytes over the speed of a copy, both measured in the same process; the
note of each row has it. Sharing: with a student's forward pass of 1, training it is 3 and the teacher T (ResNet-56: 3;
ResNet-20: 1), so the ratio ends at (3 + T) / (3 + T / K): 1.78 and 1.28 for K = 8.

A row is invalid, and a headline case then counts as failed, where its ratio is above its limit by more than a tenth
(no way of training does that: something else was measured), or where the processes of a side had less than
nine tenths of their core (others were using it). A step that the guard left out ends the benchmark: it costs less.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from interval import paired_ratio
from record import Record, parser

BATCH = 64
SAMPLES = 4096
SIZES = (2, 4, 8, 16)
SECONDS = 1.0
"""Of each timed way, after a warm-up of a third of it; at least ``LEAST`` steps."""
LEAST = 3
FLAT = {"head 384-150": (384, 150), "mlp 384-256-150": (384, 256, 150), "mlp 64-64-10": (64, 64, 10)}
CONVOLUTIONAL = {"convnet 8x8": (8, 1, 16), "convnet 32x32": (32, 3, 32)}
"""Side, channels, width."""
SHARING = {"resnet-20, teacher resnet-56": 56, "resnet-20, teacher resnet-20": 20}
"""Depth of the teacher."""
OWN_CORE = 0.9
"""Least processor time over wall time of a process on one core, its loader's thread included: nearly 1 if quiet."""
ABOVE = 1.1
"""What a ratio may be of its limit: operations are not exactly time."""
HEADLINE = {"head 384-150, K=8": 1.5, "mlp 384-256-150, K=8": 1.5, "resnet-20, teacher resnet-56, K=8": 1.2}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--rounds", type=int, help="other than 12 (--quick: 4)")
    made.add_argument("--cases", nargs="*", help="only these, by the start of their name")
    made.add_argument("--worker", nargs=4, metavar=("FOLDER", "CASE", "WAY", "SIZES"), help="one process of a round")
    arguments = made.parse_args()
    if arguments.worker:
        folder, case, way, sizes = arguments.worker
        print(json.dumps(measured(Path(folder), case, way, [int(k) for k in sizes.split(",")])))
        return
    chosen = [c for c in (*FLAT, *CONVOLUTIONAL, *SHARING) if _wanted(c, arguments.cases)]
    record = Record("crossover", [h for h in HEADLINE if h.rpartition(", ")[0] in chosen], arguments.quick)
    sizes = {c: [8] if arguments.quick else [k for k in SIZES if c not in SHARING or k <= 8] for c in chosen}
    if arguments.quick:
        chosen = [c for c in chosen if c != "resnet-20, teacher resnet-20"]
    taken: dict[str, list[dict[str, Any]]] = {}
    order = random.Random(0)
    with tempfile.TemporaryDirectory(prefix="speedwell-crossover-") as name:
        prepare(Path(name))
        jobs = [(c, w) for c in chosen for w in ways_of(c)]
        for _ in range(arguments.rounds or (4 if arguments.quick else 12)):
            for case, way in order.sample(jobs, len(jobs)):
                taken.setdefault(f"{case}: {way}", []).append(worker(Path(name), case, way, sizes[case]))
    for case in chosen:
        for k in sizes[case]:
            rows(record, case, k, taken)
    first = next((c for c in chosen if c in FLAT), None)
    if first is not None:
        record.control(*paired_ratio(*([t["1"] for t in taken[f"{first}: {w}"]] for w in ("in turn", "in turn again"))))
    record.samples = taken
    record.finish(arguments.json)


def ways_of(case: str) -> list[str]:
    if case in SHARING:
        return ["shared", "alone"]
    control = ["in turn again"] if case == next(iter(FLAT)) else []
    return ["together", "in turn", *control, *(["plain"] if case in FLAT else [])]


def rows(record: Record, case: str, k: int, taken: dict[str, list[dict[str, Any]]]) -> None:
    """One row a pair of ways: K candidates the second way over the first."""
    ours, *others = [w for w in ways_of(case) if not w.endswith("again")]
    mine = [t[str(k)] for t in taken[f"{case}: {ours}"]]
    for other in others:
        theirs = [k * t["1"] for t in taken[f"{case}: {other}"]]
        shares = [float(np.median([t["core"] for t in taken[f"{case}: {w}"]])) for w in (ours, other)]
        ratio = paired_ratio(theirs, mine)
        name = f"{case}, K={k}"
        limit, words = _limit(case, k, theirs, taken[f"{case}: {ours}"])
        floor = HEADLINE.get(name) if other != "plain" else None
        why = ""
        if min(shares) < OWN_CORE:
            why = f"invalid: others used the core (share of it {shares[0]:.2f} and {shares[1]:.2f})"
        elif limit is not None and ratio[0] > ABOVE * limit:
            why = f"invalid: {ratio[0]:.2f} is above the limit"
        elif floor is not None:
            why = f"floor {floor}: {'kept' if ratio[0] >= floor else 'missed'}"
        shown = name if other != "plain" else f"{name}, plain loop"
        times = [1e3 * float(np.median(seconds)) for seconds in (mine, theirs)]
        found = (None, None, None) if why.startswith("invalid") else ratio
        note = "; ".join(part for part in (why, words) if part)
        record.row(shown, "ms a step of all", times[0], other, times[1], *found, len(mine), note)


def _limit(case: str, k: int, theirs: list[float], ours: list[dict[str, Any]]) -> tuple[float | None, str]:
    """(what the ratio cannot pass, in words); see above."""
    if case in FLAT:
        seconds = float(np.median([t["least"][str(k)] for t in ours]))
        limit = float(np.median(theirs)) / seconds
        return limit, f"least {1e3 * seconds:.2f} ms, so at most {limit:.1f}"
    if case in SHARING:
        teacher = (SHARING[case] - 2) / 18  # convolutions of a residual network of this width, in those of depth 20
        limit = (3 + teacher) / (3 + teacher / k)
        return limit, f"at most {limit:.2f}"
    return None, ""


def worker(folder: Path, case: str, way: str, sizes: list[int]) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    given = [str(folder), case, way.removesuffix(" again"), ",".join(map(str, sizes))]
    command = [sys.executable, __file__, "--worker", *given]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{case}, {way}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def prepare(folder: Path) -> None:
    """Samples on disk, for all processes: times do not depend on their values."""
    from speedwell.inputs import EncodedSplit, ImageTransform, Samples

    rng = np.random.default_rng(0)
    for case, widths in FLAT.items():
        place = folder / case
        place.mkdir()
        np.save(place / "features.npy", rng.standard_normal((SAMPLES, widths[0])).astype(np.float32))
        np.save(place / "targets.npy", rng.integers(0, widths[-1], SAMPLES))
        (place / "features.json").write_text(json.dumps({"schema": 1, "key": "", "n": SAMPLES}))
    for name, side, channels in (("convnet 8x8", 8, 1), ("convnet 32x32", 32, 3)):
        pixels = rng.integers(0, 256, (SAMPLES, side, side, channels), dtype=np.uint8)
        samples = Samples(
            pixels.__getitem__, rng.integers(0, 10, SAMPLES), [str(i) for i in range(SAMPLES)],
            tuple(str(i) for i in range(10)),
        )  # fmt: skip
        transform = ImageTransform(
            "image",
            (side, side),
            mean=(0.5,) * channels,
            std=(0.25,) * channels,
            colour="gray" if channels == 1 else "rgb",
        )
        EncodedSplit.write(folder / name, samples, range(SAMPLES), transform)


def measured(folder: Path, case: str, way: str, sizes: list[int]) -> dict[str, Any]:
    """Seconds of a step of all candidates, by K; of one candidate, as "1", where they go in turn."""
    import torch

    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        # the loader's thread is on the same core: two processes of one thread use a machine best
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found: dict[str, Any] = {}
    shares: list[float] = []
    for k in sizes if way in ("together", "shared") else [1]:
        seconds, share = timed(plain(folder, case) if way == "plain" else steps(folder, case, way, k))
        found[str(k)] = seconds
        shares.append(share)
        if way == "together" and case in FLAT:
            found.setdefault("least", {})[str(k)] = least(FLAT[case], k)
    return found | {"core": min(shares)}


def steps(folder: Path, case: str, way: str, k: int) -> Iterator[None]:
    """Steps of ``k`` candidates without end: for each item a batch is taken from the loader and trained on."""
    from speedwell.core.signature import Signature, TensorSpec
    from speedwell.inputs import EncodedSplit
    from speedwell.training import Learner, Loader, batch_maker
    from speedwell.training.losses.classification import ClassLoss
    from speedwell.training.optimizers import learning_rate
    from speedwell.training.recipe import Augment, Distil, Loss, Optimizer, Recipe
    from speedwell.training.stacked import FeatureBatches, Features, SharedLearner, StackedLearner

    loss, teacher, augment = Loss(), None, Augment()
    if case in SHARING:
        from speedwell.networks.residual import residual

        loss, teacher = Loss(distil=Distil(0.9, 4.0)), residual(10, depth=SHARING[case])
        augment = Augment(flip=True, crop=4)
    if case in FLAT:
        features = Features.open(folder / case)
        make: Any = FeatureBatches(features)
        signature = features.signature
    else:
        split = EncodedSplit.open(folder / (case if case in CONVOLUTIONAL else "convnet 32x32"))
        make = batch_maker(split, augment)
        shape = ("batch", split.transform.channels, *split.transform.size)  # type: ignore[attr-defined]
        signature = Signature((TensorSpec("image", "float32", shape),), ())
    recipes = [Recipe(loss=loss, augment=augment, optimizer=Optimizer(lr=1e-4 * (1 + i))) for i in range(k)]
    networks = [network(case) for _ in range(k)]
    learner: Any
    if way == "together":
        learner = StackedLearner(networks, recipes, signature)
    elif way == "shared":
        learner = SharedLearner(networks, recipes, signature, teacher)
    else:
        learner = Learner(networks[0], ClassLoss(loss), recipes[0], signature, teacher)
    loader = Loader(make, SAMPLES, BATCH, 0)
    number, total = 0, 10**6
    while True:
        for batch, whole in loader.epoch(number):
            rates = [r.optimizer.lr * learning_rate(r.schedule, number, total) for r in recipes]
            if isinstance(learner, Learner):
                skips: tuple[Any, ...] = (learner.step(batch, whole, number, rates[0]).skip,)
            else:
                skips = learner.step(batch, number, rates).skips
            if any(skips):
                raise SystemExit(f"{case}, {way}: step {number} was left out ({skips}), so its time says nothing")
            yield None
            number += 1


def plain(folder: Path, case: str) -> Iterator[Any]:
    """The loop that a person writes, at its best."""
    import torch
    from torch.nn import functional

    values = torch.from_numpy(np.load(folder / case / "features.npy"))
    targets = torch.from_numpy(np.load(folder / case / "targets.npy"))
    net = network(case)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    while True:
        for index in torch.randperm(SAMPLES).split(BATCH):
            functional.cross_entropy(net(values[index]), targets[index]).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            yield None


def network(case: str) -> Any:
    from torch import nn

    if case in SHARING:
        from speedwell.networks.residual import residual

        return residual(10, depth=20)
    if case in FLAT:
        widths = FLAT[case]
        layers: list[nn.Module] = []
        for inside, out in pairwise(widths):
            layers += [nn.Linear(inside, out), nn.ReLU()]
        return nn.Sequential(*layers[:-1])
    side, channels, width = CONVOLUTIONAL[case]
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, 2, 1), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(2 * width * (side // 4) ** 2, 10),
    )  # fmt: skip


def timed(every: Iterator[Any]) -> tuple[float, float]:
    """(mean seconds of an item, share of the core that this process had): at least ``LEAST`` items, for ``SECONDS``,
    after a third of that.
    """
    for seconds, fewest in ((SECONDS / 3, 1), (SECONDS, LEAST)):
        began, used, count = time.perf_counter(), time.process_time(), 0
        for _ in every:
            count += 1
            taken = time.perf_counter() - began
            if count >= fewest and taken >= seconds:
                break
    return taken / count, (time.process_time() - used) / taken


def least(widths: tuple[int, ...], k: int) -> float:
    """Seconds that a step of ``k`` cannot go under: operations over rate, and bytes over bandwidth."""
    import torch

    pairs = list(pairwise(widths))
    weights = sum(a * b for a, b in pairs)
    a, b = max(pairs, key=lambda p: p[0] * p[1])
    x, w = torch.randn(k, BATCH, a), torch.randn(k, a, b)
    rate = 2 * k * BATCH * a * b / _fastest(lambda: torch.bmm(x, w))
    state = torch.ones(2, 2 * k * weights)
    bandwidth = 4 * state.numel() / _fastest(lambda: state[0].copy_(state[1]))
    operations = 2 * k * BATCH * (3 * weights - pairs[0][0] * pairs[0][1])
    return operations / rate + 11 * 4 * k * weights / bandwidth


def _fastest(call: Callable[[], Any]) -> float:
    call()
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)


def _wanted(case: str, chosen: list[str] | None) -> bool:
    return not chosen or any(case.startswith(c) for c in chosen)


if __name__ == "__main__":
    main()
