"""Before the rounds of ``native.py``: is each contender's answer right, how long is opening, how large is a session?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from native_contenders import Contender
from native_products import Products
from native_worker import open_contender
from speedwell.core.errors import JobError, SpeedwellError
from speedwell.measure import Limits, Remote, thread_environment

__all__ = ["Checked", "Contest", "check", "opener"]

LIMIT_SECONDS = 600.0
FLOAT_COSINE, LEAST_COSINE = 0.999, 0.3
"""A float32 contender below the first computes another network; one in int8 below the second, nothing."""


@dataclass(frozen=True)
class Checked:
    """``cosine``: to float32, mean and lowest over the rows of the output. ``seconds``: median of three calls."""

    facts: Mapping[str, Any]
    cosine: tuple[float, float]
    seconds: float


@dataclass
class Contest:
    """One setting's contenders. ``failed``: name to reason."""

    contenders: tuple[Contender, ...]
    products: Products
    threads: int
    environment: Mapping[str, str]
    scratch: Path
    checked: dict[str, Checked] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def opener(contest: Contest, contender: Contender) -> Callable[[], Remote]:
    """What opens a fresh process of it."""
    arguments = {
        "runner": contender.runner, "product": contest.products.made[contender.product],
        "feed": contest.products.feed, "threads": contest.threads, "options": dict(contender.options),
    }  # fmt: skip
    environment = {**thread_environment(contest.threads), **contest.environment}
    return lambda: Remote.open(open_contender, arguments, Limits(LIMIT_SECONDS), contest.scratch, environment)


def check(contest: Contest) -> None:
    """Open each alone, once, and ask it for its outputs. What fails, or answers wrongly, is in ``failed``."""
    for contender in contest.contenders:
        name, products = contender.name, contest.products
        if products.made.get(contender.product) is None:
            contest.failed[name] = products.failed.get(contender.product) or products.failed.get("graph", "not made")
            continue
        try:
            contest.checked[name] = _checked(contest, contender)
        except SpeedwellError as error:
            contest.failed[name] = error.what.replace("\n", " ")[:200]


def _checked(contest: Contest, contender: Contender) -> Checked:
    products = contest.products
    with opener(contest, contender)() as remote:
        facts = remote.call("facts").value
        seconds = float(np.median(remote.call("time", calls=3).value))
        outputs = remote.call("outputs", checks=products.checks).arrays["output"]
    if products.reference is None:
        raise JobError(f"there is no reference to compare with: {products.failed.get('reference', 'not made')}")
    cosine = cosines(outputs, products.reference)
    found = Checked(facts, (float(cosine.mean()), float(cosine.min())), seconds)
    if not found.cosine[0] >= (FLOAT_COSINE if contender.form == "float" else LEAST_COSINE):
        raise JobError(f"its answer is not the network's: cosine {found.cosine[0]:.4f} to float32")
    return found


def cosines(outputs: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Of each row (a token's vector, an image's logits)."""
    a, b = (x.reshape(-1, x.shape[-1]).astype(np.float64) for x in (outputs, reference))
    found: np.ndarray = (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-30)
    return found
