"""``Products``: everything that the sides of one setting open, made once and kept in a folder.

Graphs and compiled code are kept between runs where ``native.py --cache`` names a folder; they lie under a hash of what
makes them, so that none is used after a change. Plans are lowered anew in each run, because the time is a result.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import native_make as make
from native_networks import Setting
from speedwell.core import Model, bytes_digest, content_hash, decode
from speedwell.core.errors import SpeedwellError
from speedwell.measure import Limits, run_job, thread_environment
from speedwell.sources import load_model

__all__ = ["FORMS", "Maker", "Products"]

FORMS = ("static", "narrow", "dynamic", "float")
"""What of ours is lowered; "narrow" has activations of 7 bits, and is made where weights have no more."""
LIMIT_SECONDS = 3600.0
VERSIONED = ("torch", "transformers", "onnx", "onnxruntime", "numpy")
MAKING = ("native_make.py", "native_inputs.py", "native_networks.py")
CHECKS = 8
"""Samples that every side answers, to be compared with float32."""


@dataclass
class Products:
    """``made``: what each product's runner opens. ``failed``: product to reason. ``lowering``: seconds by form.

    ``reference``: float32 outputs on ``checks``; ``feed``: the inputs that are timed.
    """

    feed: Path
    checks: Path
    made: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    lowering: dict[str, float] = field(default_factory=dict)
    reference: np.ndarray | None = None


@dataclass
class Maker:
    """``kept``: where products stay; ``scratch``: what one run makes anew. ``bits``: of quantized weights.

    ``environment``: laid over that of every job (what holds a peer to an instruction set).
    """

    kept: Path
    scratch: Path
    texts: Path | None
    bits: int
    environment: Mapping[str, str]

    @property
    def narrow(self) -> bool:
        """Whether activations of 7 bits are tried too: where no kernel has a dot product."""
        return self.bits == 7

    def products(self, setting: Setting, runners: frozenset[str]) -> Products:
        """Those of one setting; only what ``runners`` open is made. What fails is in ``failed``."""
        network, texts = setting.network, self.texts
        here = self._root() / network.name
        here.mkdir(parents=True, exist_ok=True)
        found = Products(here / f"feed-{setting.batch}.npz", here / "checks.npz")
        for path, part, count in ((found.feed, "timing", setting.batch), (found.checks, "checks", CHECKS)):
            np.savez(path, **make.feed(network, texts, part, count))  # type: ignore[arg-type]
        root, common = self._root() / network.factory, {"network": network, "texts": texts}
        exported = self._made(root / "export", found, "graph", make.export, **common)
        if exported is None:
            return found
        graph = decode(Model, exported["float"])
        found.made |= {"torch": decode(Model, exported["torch"]), "float": graph}
        forms = ("static", "narrow", "dynamic") if self.narrow else ("static", "dynamic")
        for form in forms:
            made = self._made(root / f"{form}-{self.bits}", found, form, make.quantized, **common, model=graph,
                              form=form, bits=self.bits)  # fmt: skip
            found.made[form] = made and decode(Model, made)
        if "onnxruntime" in runners:
            self._onnxruntime(root, found, common)
        if "inductor" in runners:
            name = f"inductor-{setting.batch}-{setting.threads}{'-held' if self.environment else ''}"
            found.made["inductor"] = self._made(
                here / name, found, "inductor", make.inductor, **common, model=found.made["torch"],
                batch=setting.batch, threads=setting.threads,
            )  # fmt: skip
        self._plans(network.factory, found)
        outputs = self._made(here / "reference", found, "reference", make.reference, model=graph, checks=found.checks)
        found.reference = None if outputs is None else np.load(outputs)
        return found

    def _onnxruntime(self, root: Path, found: Products, common: Mapping[str, Any]) -> None:
        """Its optimizer's graph and that graph quantized."""
        path = self._made(root / "ort", found, "ort_float", make.ort_float, **common, model=found.made["torch"])
        source = path or str(found.made["float"].payload)
        found.made["ort_float"] = path
        found.made["ort_dynamic"] = self._made(
            root / f"ort-{self.bits}", found, "ort_dynamic", make.ort_dynamic, path=source, bits=self.bits
        )

    def _plans(self, name: str, found: Products) -> None:
        for form in FORMS:
            model = found.made.get(form)
            if model is None:
                found.failed[f"plan_{form}"] = found.failed.get(form, "")
                continue
            folder = self.scratch / f"{name}-{form}"
            made = self._made(folder, found, f"plan_{form}", make.plan, model=model)
            if made is not None:
                found.made[f"plan_{form}"], found.lowering[form] = Path(made["plan"]), made["seconds"]

    def _made(self, folder: Path, found: Products, product: str, function: Callable[..., Any], **arguments: Any) -> Any:
        """What ``function`` answered, from ``folder`` where it ran before; None where it fails (``found`` says why)."""
        record = folder / "record.json"
        if record.is_file():
            return json.loads(record.read_text())
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"making {folder.parent.name}/{folder.name}", flush=True)
        try:
            reply = run_job(
                function, {"folder": folder, **arguments}, Limits(LIMIT_SECONDS), folder / "log",
                {**thread_environment(arguments.get("threads", 2)), **self.environment},
            )  # fmt: skip
        except SpeedwellError as error:
            found.failed[product] = error.what.replace("\n", " ")[:200]
            return None
        record.write_text(json.dumps(reply.value))
        return reply.value

    def _root(self) -> Path:
        """A folder named by everything that the products depend on."""
        package = Path(load_model.__code__.co_filename).parents[1]
        sources = [*sorted(package.glob("passes/**/*.py")), *(Path(__file__).with_name(name) for name in MAKING)]
        facts = {
            "sources": [bytes_digest(path.read_bytes()) for path in sources],
            "texts": bytes_digest(self.texts.read_bytes()) if self.texts else "",
            "versions": {name: version(name) for name in VERSIONED},
        }
        return self.kept / content_hash(facts)[:16]
