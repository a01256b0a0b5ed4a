"""``Fast``: an opened bundle, called with raw images, strings, arrays or tensors by name."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..bundle import Manifest
from ..core.errors import InputMismatchError, UsageError
from ..core.protocols import Session
from ..inputs import Transform
from ..inputs.decode import picture_size
from ..tasks import class_scores
from ..tasks.boxes import reader_of
from .found import Found

__all__ = ["Answer", "Fast"]


@dataclass(frozen=True, eq=False)
class Answer:
    """One sample's answer. ``index``: the largest score's; ``label``: its class name ("" where unknown);
    ``scores``: float [classes], as the network gives them.
    """

    index: int
    label: str
    scores: np.ndarray

    def __str__(self) -> str:
        return self.label or str(self.index)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"index": self.index, "label": self.label, "scores": [float(s) for s in self.scores]}


class Fast:
    """A callable; close it, or use it in a ``with`` block. Safe to call from several threads (calls take turns).

    ``fast("a text")``, ``fast(image)``, ``fast(path)`` give an ``Answer`` (a detector: ``Found``; a custom task: the
    outputs by name); a list of them gives a list;
    ``fast({"input": array, ...})`` or ``fast(array)`` of ready tensors gives outputs by name.
    """

    def __init__(
        self, manifest: Manifest, session: Session, transform: Transform | None, notes: tuple[str, ...]
    ) -> None:
        self.manifest = manifest
        self.notes = notes
        self._session = session
        self._transform = transform
        self._lock = threading.Lock()
        self._batch = manifest.workloads[0].batch if manifest.workloads else 1

    @property
    def reads(self) -> str:
        """What raw samples are: "images", "texts", "arrays", or "tensors" where no preprocessing is stored."""
        kinds = {"image": "images", "letterbox": "images", "text": "texts", "arrays": "arrays"}
        return kinds.get(self._transform.kind, "tensors") if self._transform is not None else "tensors"

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the scores; empty where unknown."""
        return self.manifest.classes

    def __call__(self, inputs: Any) -> Any:
        """See the class. Raises ``InputMismatchError`` or ``CorruptSampleError`` for inputs that do not fit."""
        if isinstance(inputs, Mapping) and set(inputs) >= set(self.manifest.signature.input_names):
            return self.run({name: np.asarray(inputs[name]) for name in self.manifest.signature.input_names})
        if self._is_tensor(inputs):
            return self.run({self.manifest.signature.inputs[0].name: inputs})
        if self._transform is None:
            names = ", ".join(self.manifest.signature.input_names)
            raise InputMismatchError(f"this bundle takes tensors by name: {names}", "Call it with a dict of arrays.")
        several = isinstance(inputs, Sequence) and not isinstance(inputs, (str, bytes))
        several = several or (isinstance(inputs, np.ndarray) and inputs.ndim == 4)
        samples = list(inputs) if several else [inputs]
        if not samples:
            return []
        answers = self._answers([self._raw(s) for s in samples])
        return answers if several else answers[0]

    def run(self, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name for ready model inputs."""
        self.manifest.signature.check(tensors)
        with self._lock:
            return self._session.run(tensors)

    def facts(self) -> dict[str, str]:
        """What really runs: provider, precision, threads."""
        return self._session.facts()

    def close(self) -> None:
        with self._lock:
            self._session.close()

    def __enter__(self) -> Fast:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answers(self, samples: list[Any]) -> list[Any]:
        if self._transform is None:
            raise UsageError("this bundle has no preprocessing")
        encoded = [self._transform.encode(s) for s in samples]
        answers: list[Any] = []
        for start in range(0, len(encoded), self._batch):
            part = encoded[start : start + self._batch]
            # a session may be made for this very batch: the last one is filled up
            filled = [part[i % len(part)] for i in range(self._batch)]
            outputs = self.run(self._transform.finish(filled))
            if self.manifest.task == "object-detection":
                answers += self._found(outputs, samples[start : start + self._batch], self._transform)
            else:
                answers += self._told(outputs, len(part))
        return answers

    def _found(self, outputs: Mapping[str, np.ndarray], samples: Sequence[Any], transform: Transform) -> list[Found]:
        """Boxes of each of ``samples`` in its own pixels."""
        reader = reader_of(self.manifest.answer.get("detection") or {})
        answers = []
        for sample, detections in zip(samples, reader.read(outputs, self._batch), strict=False):
            size = _size_of(sample, transform)
            one = detections.clipped(transform.window(size))
            # what lies wholly on the border is no find
            inside = (one.boxes[:, 2:] > one.boxes[:, :2]).all(axis=1)
            one = one.take(inside & (one.scores >= reader.confidence))
            answers.append(Found.of(one, transform.restore(one.boxes, size), self.classes))
        return answers

    def _told(self, outputs: Mapping[str, np.ndarray], count: int) -> list[Any]:
        """Outputs of a batch as answers by the task's own rule; a custom task's outputs as they are, by sample."""
        if self.manifest.task == "custom":
            return [{name: value[i] for name, value in outputs.items()} for i in range(count)]
        rule = self.manifest.answer
        scores = class_scores(outputs, str(rule.get("output") or ""), self._batch)
        binary = scores.ndim == 1
        answers = []
        for row in scores[:count]:
            flat = np.atleast_1d(row)
            index = int(row > float(rule.get("threshold", 0.0))) if binary else int(flat.argmax())
            answers.append(Answer(index, self.classes[index] if index < len(self.classes) else "", flat))
        return answers

    def _is_tensor(self, inputs: Any) -> bool:
        if not isinstance(inputs, np.ndarray) or len(self.manifest.signature.inputs) != 1:
            return False
        spec = self.manifest.signature.inputs[0]
        return inputs.dtype == np.dtype(spec.dtype) and inputs.ndim == len(spec.shape)

    @staticmethod
    def _raw(sample: Any) -> Any:
        return sample.read_bytes() if isinstance(sample, Path) else sample


def _size_of(sample: Any, transform: Transform) -> tuple[int, int]:
    """Height and width of a picture. One that is prepared already is as large as the network's input."""
    if hasattr(sample, "detach"):
        sample = np.asarray(sample.detach().cpu())
    if isinstance(sample, np.ndarray) and sample.dtype.kind == "f":
        size: tuple[int, int] = transform.size  # type: ignore[attr-defined]
        return size
    return picture_size(sample)
