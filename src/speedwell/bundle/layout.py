"""Where things lie in a bundle, and how large they may be. Every cap is checked before anything is read or parsed."""

from __future__ import annotations

__all__ = [
    "EVIDENCE", "EVIDENCE_LIST", "EVIDENCE_RECORD", "FILE_MODE", "FOLDER_MODE", "MANIFEST", "MAX_DEPTH", "MAX_FILES",
    "MAX_RECORD_BYTES", "MODEL", "MODULE", "ONNX", "PREPROCESSING", "PROBE", "SCORES", "SIGNATURE", "TORCH_FILES",
]  # fmt: skip

MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
MODEL = "model"
PREPROCESSING = "preprocessing"
EVIDENCE = "evidence"
EVIDENCE_LIST = "evidence/files.json"
EVIDENCE_RECORD = "evidence/evidence.json"
SCORES = "evidence/scores.npz"
PROBE = "evidence/probe.npz"
ONNX = "model/model.onnx"
MODULE = "module.json"
TORCH_FILES = (".json", ".safetensors")
"""Endings that a torch payload may bring; nothing that can run code on load has one of them."""

FILE_MODE = 0o644
FOLDER_MODE = 0o755
MAX_FILES = 1_000
MAX_DEPTH = 6
MAX_RECORD_BYTES = 64 << 20
"""Of one JSON file; evidence of 100,000 timed calls takes about 3 MB."""
