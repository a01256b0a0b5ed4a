"""``Features``: what a frozen encoder makes of a split, computed once and kept on disk, for heads to train on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ...core.atomic import whole_folder
from ...core.digest import array_digest, bytes_digest
from ...core.errors import DataError, DataNotFoundError, UsageError
from ...core.signature import Signature, TensorSpec
from ...inputs import EncodedSplit
from ...inputs.rows import Rows
from ..batch import Batch, batch_maker
from ..evaluate import evaluated
from ..recipe import Augment

__all__ = ["FeatureBatches", "Features"]

SCHEMA = 1


class Features:
    """``values`` float32 [n, ...], in the split's order; ``targets`` int64 [n]."""

    def __init__(self, folder: Path, values: Rows, targets: np.ndarray) -> None:
        self.folder, self.values, self.targets = folder, values, targets

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def signature(self) -> Signature:
        """How a head is called on them."""
        return Signature((TensorSpec(FeatureBatches.NAME, "float32", ("batch", *self.values.shape[1:])),), ())

    @classmethod
    def write(
        cls, folder: Path, encoder: nn.Module, signature: Signature, split: EncodedSplit, output: str = "",
        batch: int = 64,
    ) -> Features:  # fmt: skip
        """Run ``encoder`` over ``split`` in evaluation mode and keep ``output`` (default: its first float output).

        ``folder`` appears whole or not at all. Features that lie there already are used again where encoder, output
        and split are the same, told by their contents.
        """
        key = _key(encoder, signature, split, output)
        try:
            found = cls.open(folder)
            if json.loads((folder / "features.json").read_text(encoding="utf-8"))["key"] == key:
                return found
        except (DataNotFoundError, DataError):
            pass  # there is none, or none that can be used: it is made anew
        with whole_folder(folder) as part:
            _encode(part, encoder, signature, split, output, batch)
            np.save(part / "targets.npy", split.targets.astype(np.int64))
            facts = {"schema": SCHEMA, "key": key, "n": len(split)}
            (part / "features.json").write_text(json.dumps(facts), encoding="utf-8")
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Features:
        """What ``write`` left. Raises ``DataNotFoundError``, or ``DataError`` where files do not fit together."""
        if not (folder / "features.json").is_file():
            raise DataNotFoundError(f"there are no features in {folder}")
        try:
            facts = json.loads((folder / "features.json").read_text(encoding="utf-8"))
            values = Rows(folder / "features.npy")
            targets = np.load(folder / "targets.npy", allow_pickle=False)
            whole = facts["schema"] == SCHEMA and len(values) == len(targets) == facts["n"]
        except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
            raise DataError(f"the features in {folder} are damaged: {error}", "Delete the folder.") from error
        if not whole or values.dtype != np.float32:
            raise DataError(f"the features in {folder} are damaged: counts disagree", "Delete the folder.")
        return cls(folder, values, targets)


class FeatureBatches:
    """Makes batches of features, for ``Loader``: one gather, nothing else."""

    NAME = "input"
    """What the batch calls them: the parameter of ``nn.Sequential`` and ``nn.Linear``."""

    def __init__(self, features: Features) -> None:
        self._features = features

    def __call__(self, index: np.ndarray, rng: np.random.Generator | None) -> Batch:
        del rng
        rows = torch.from_numpy(self._features.values.gather(index))
        return Batch({self.NAME: rows}, torch.from_numpy(self._features.targets[index]), index)


def _encode(
    folder: Path, encoder: nn.Module, signature: Signature, split: EncodedSplit, output: str, batch: int
) -> None:
    values: np.ndarray | None = None

    def keep(outputs: dict[str, np.ndarray], targets: Any, samples: np.ndarray) -> None:
        nonlocal values
        del targets
        found = _chosen(outputs, output)
        if len(found) != len(samples):
            raise UsageError(f"the encoder gives {list(found.shape)} for {len(samples)} samples")
        if values is None:
            shape = (len(split), *found.shape[1:])
            values = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float32, shape)
        if found.shape[1:] != values.shape[1:]:
            raise UsageError(
                f"features are {list(values.shape[1:])}, then {list(found.shape[1:])}",
                "They need one size: name a pooled output.",
            )
        values[samples] = found

    evaluated(encoder, signature, batch_maker(split, Augment()), split, keep, batch)
    assert values is not None, "a split has at least one sample"
    values.flush()  # type: ignore[attr-defined]


def _chosen(outputs: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name:
        if name not in outputs:
            raise UsageError(f"the encoder has no output {name!r}", f"There are: {', '.join(outputs)}.")
        return outputs[name]
    floats = [v for v in outputs.values() if v.dtype.kind == "f"]
    if not floats:
        raise UsageError(f"the encoder gives no floats: {', '.join(outputs)}", "Name an output.")
    return floats[0]


def _key(encoder: nn.Module, signature: Signature, split: EncodedSplit, output: str) -> str:
    """Of all that the features depend on."""
    weights = {n: array_digest(v.detach().float().numpy()) for n, v in encoder.state_dict().items()}
    facts = [
        weights, str(encoder), str(signature), split.transform.key, list(split.digests), split.targets.tolist(), output,
    ]  # fmt: skip
    return bytes_digest(json.dumps(facts).encode())
