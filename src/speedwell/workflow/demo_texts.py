"""The text demo's data and model: docstrings of the installed packages, labelled by their package, and the packaged
MiniLM encoder with a linear head fitted on them here.
"""

from __future__ import annotations

import ast
import csv
import itertools
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError

__all__ = ["PACKAGES", "docstrings", "prepare_texts"]

PACKAGES = ("torch", "scikit-learn", "numpy", "transformers", "sympy", "pandas", "scipy")
PER_CLASS = 900
LOOKED_AT = 2500  # sentences of a package looked at: parsing all of torch would take 10 s
TRAIN_PER_CLASS = 300
SHORTEST, LONGEST = 25, 200


def prepare_texts(folder: Path, seed: int = 0) -> dict[str, Any]:
    """Write ``network.py``, ``weights.safetensors``, ``search.csv`` and ``confirmation.csv`` (text, label).

    The task: which package does this first sentence of a docstring come from? Runs in a worker.
    """
    rng = np.random.default_rng(seed)
    rows: dict[str, list[tuple[str, str]]] = {"train": [], "search": [], "confirmation": []}
    seen: set[str] = set()
    for package in PACKAGES:
        texts = [t for t in itertools.islice(docstrings(package), LOOKED_AT) if t not in seen]
        seen.update(texts)
        if len(texts) < PER_CLASS:
            continue  # not installed, or too small to be a class
        chosen = [texts[i] for i in rng.permutation(len(texts))[:PER_CLASS]]
        rows["train"] += [(t, package) for t in chosen[:TRAIN_PER_CLASS]]
        rows["search"] += [(t, package) for t in chosen[TRAIN_PER_CLASS : TRAIN_PER_CLASS + 120]]
        rows["confirmation"] += [(t, package) for t in chosen[TRAIN_PER_CLASS + 120 :]]
    classes = sorted({label for _, label in rows["train"]})
    if len(classes) < 3:
        raise DataError(
            f"only {len(classes)} installed packages have {PER_CLASS} docstrings", 'pip install "speedwell[all]"'
        )
    for name in ("search", "confirmation"):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as f:
            csv.writer(f).writerows([("text", "label"), *rows[name]])
    (folder / "classes.txt").write_text("\n".join(classes) + "\n")
    shutil.copyfile(Path(__file__).with_name("demo_encoder.py"), folder / "network.py")
    began = time.perf_counter()
    _fit(rows["train"], classes, folder, seed)
    counts = {name: len(r) for name, r in rows.items()}
    return {"seconds": time.perf_counter() - began, "classes": len(classes), **counts}


def docstrings(package: str) -> Iterator[str]:
    """First sentences of a distribution's docstrings, in file order, each once; its sources are parsed, never run."""
    try:
        files = sorted(distribution(package).files or (), key=str)
    except PackageNotFoundError:
        return
    seen = set()
    for file in files:
        if not str(file).endswith(".py") or "test" in str(file):
            continue
        try:
            tree = ast.parse(Path(str(file.locate())).read_text(encoding="utf-8"))
        except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
            continue  # a template or a file for another Python: not a source of sentences
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and (text := ast.get_docstring(node)):
                sentence = " ".join(text.split("\n\n")[0].split())[:LONGEST]
                if len(sentence) >= SHORTEST and sentence not in seen:
                    seen.add(sentence)
                    yield sentence


def _fit(rows: list[tuple[str, str]], classes: list[str], folder: Path, seed: int) -> None:
    """Logistic regression on the frozen, normalised features, by full-batch L-BFGS."""
    import torch
    from safetensors.torch import save_model
    from tokenizers import Tokenizer

    from .demo_encoder import build, files

    torch.manual_seed(seed)
    network = build(len(classes))
    tokenizer = Tokenizer.from_file(str(files() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(64)
    encoded = [e.ids for e in tokenizer.encode_batch([t for t, _ in rows])]
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    features = torch.zeros(len(rows), network.head.in_features)
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            index = order[start : start + 32]
            longest = max(len(encoded[i]) for i in index)
            ids = torch.tensor([encoded[i] + [0] * (longest - len(encoded[i])) for i in index])
            mask = torch.tensor([[1] * len(encoded[i]) + [0] * (longest - len(encoded[i])) for i in index])
            features[index] = network.embed(ids, mask)
    targets = torch.tensor([classes.index(label) for _, label in rows])
    features = features.clone()
    optimizer = torch.optim.LBFGS(network.head.parameters(), lr=0.5, max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network.head(features), targets)
        loss = loss + 1e-4 * network.head.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    save_model(network, str(folder / "weights.safetensors"))
