"""Say no to files that can run code when opened, or that Speedwell cannot read, with the way out.

Judged by content first (magic bytes), then by ending. Nothing is unpickled: a pickle's opcodes are only read, to
choose the right words.
"""

from __future__ import annotations

import io
import json
import pickletools
import shlex
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from ..core.errors import ModelNotFoundError, UnsafeModelError, UnsupportedModelError

__all__ = ["kind_of", "pickled_names", "refuse_unsafe"]

HEAD = 4096
PICKLE_BYTES = 8 << 20
"""How much of a pickle is looked through for the names of what it would call."""
ENTRIES = 200_000
HDF5 = b"\x89HDF\r\n\x1a\n"
TORCH_LEGACY = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
PLAIN = ("torch._utils _rebuild_", "torch._tensor _rebuild_", "collections OrderedDict", "torch.storage ",
         "torch.serialization ", "numpy dtype", "numpy ndarray", "_codecs encode", "builtins set")  # fmt: skip
"""What a plain state dict imports, by how it begins."""
SKLEARN = frozenset({".joblib", ".pkl", ".pickle", ".p", ".sav"})

Kind = Literal[
    "", "module", "state dict", "torchscript", "exported program", "pickle", "keras", "hdf5", "tflite", "saved model",
    "safetensors", "gguf", "openvino", "zip", "numpy", "engine",
]  # fmt: skip
ENDINGS: dict[str, Kind] = {
    ".h5": "hdf5", ".hdf5": "hdf5", ".keras": "keras", ".tflite": "tflite", ".pb": "saved model", ".gguf": "gguf",
    ".joblib": "pickle", ".pkl": "pickle", ".pickle": "pickle", ".p": "pickle", ".sav": "pickle", ".ckpt": "pickle",
    ".pt2": "exported program", ".safetensors": "safetensors", ".npy": "numpy", ".npz": "numpy", ".pt": "pickle",
    ".pth": "pickle", ".bin": "pickle", ".xml": "openvino", ".engine": "engine", ".plan": "engine", ".trt": "engine",
    ".ort": "engine", ".mlmodel": "engine",
}  # fmt: skip


def refuse_unsafe(path: Path, role: Literal["model", "weights"] = "model") -> None:
    """Raise ``UnsafeModelError`` (opening it can run code) or ``UnsupportedModelError``, with commands that help.

    Returns for what may be opened: an ONNX file or an unknown one as a "model"; safetensors and a torch state dict
    as "weights". Raises ``ModelNotFoundError`` where there is nothing.
    """
    kind = kind_of(path)
    if role == "weights" and kind in ("state dict", "safetensors"):
        return
    shown = shlex.quote(str(path))
    if kind in ("module", "pickle", "torchscript", "exported program"):
        raise UnsafeModelError(
            f"cannot open {path}: {UNSAFE[kind]}, and opening it can run code.", _way_out(kind, path)
        )
    if kind == "state dict":
        raise UnsupportedModelError(
            f"cannot open {path}: it holds weights without the network.",
            f"Name what builds the network:   speedwell accelerate my_package.models:build --weights {shown} ...",
        )
    if kind == "safetensors":
        raise UnsupportedModelError(
            f"cannot open {path}: safetensors hold weights without the network.",
            f"Name what builds the network:   speedwell accelerate my_package.models:build --weights {shown} ...\n"
            "or the Hugging Face folder that holds config.json:   speedwell accelerate hf:path/to/folder ...",
        )
    if kind:
        raise UnsupportedModelError(f"cannot open {path}: {UNSUPPORTED[kind]}.", _way_out(kind, path))


def kind_of(path: Path) -> Kind:
    """What a file or folder is, by its content, then by its ending; "" where it may be ONNX or is not known."""
    if not path.exists():
        raise ModelNotFoundError(f"there is no file {path}")
    if path.is_dir():
        return "saved model" if (path / "saved_model.pb").is_file() else ""
    if not path.is_file():
        raise UnsupportedModelError(f"cannot open {path}: it is no regular file.", "Copy the model into a file.")
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_kind(path)
    if head.startswith(HDF5):
        return "hdf5"
    if head[4:8] == b"TFL3":
        return "tflite"
    if head[:4] == b"GGUF":
        return "gguf"
    if head.startswith(b"\x93NUMPY"):
        return "numpy"
    if _is_safetensors(path, head):
        return "safetensors"
    if TORCH_LEGACY in head[:16] or _is_pickle(head):
        return _pickle_kind(path)
    if path.suffix.lower() == ".onnx":
        return ""
    return ENDINGS.get(path.suffix.lower(), "")


def pickled_names(data: bytes, pickles: int = 1) -> Iterator[str]:
    """ "module name" of everything that the first ``pickles`` pickles in ``data`` would import, read from the opcodes.

    Ends quietly where a pickle is torn: the words chosen from it need no more.
    """
    stream = io.BytesIO(data)
    for _ in range(pickles):
        strings: list[str] = []
        memo: dict[Any, str] = {}
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name in ("GLOBAL", "INST"):
                    yield str(argument)
                elif opcode.name == "STACK_GLOBAL":
                    yield " ".join(strings[-2:])
                elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT") and strings:
                    memo[argument] = strings[-1]
                elif opcode.name == "MEMOIZE" and strings:
                    memo[len(memo)] = strings[-1]
                elif opcode.name in ("BINGET", "LONG_BINGET", "GET") and argument in memo:
                    strings.append(memo[argument])
                elif isinstance(argument, str):
                    strings.append(argument)
        except (ValueError, IndexError, OverflowError, MemoryError):
            return


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) > ENTRIES:
                return "zip"
            bare = {n.partition("/")[2] or n for n in names} | set(names)
            if any(n.startswith("code/") for n in bare):
                return "torchscript"
            if "archive_format" in bare or any(n.startswith(("models/", "serialized_")) for n in bare):
                return "exported program"
            if {"config.json", "metadata.json"} <= bare:
                return "keras"
            pickles = [n for n in names if n.endswith("data.pkl")]
            if pickles:
                with archive.open(pickles[0]) as file:
                    return _judge(file.read(PICKLE_BYTES))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error):
        return "zip"
    if any(n.endswith(".npy") for n in names):
        return "numpy"
    return "exported program" if path.suffix.lower() == ".pt2" else "zip"


def _pickle_kind(path: Path) -> Kind:
    with path.open("rb") as file:
        data = file.read(PICKLE_BYTES)
    if TORCH_LEGACY not in data[:16]:
        return "pickle"
    # the old torch format is several pickles end to end: magic number, version, system, then the object
    return _judge(data, pickles=4)


def _judge(data: bytes, pickles: int = 1) -> Kind:
    strange = [n for n in pickled_names(data, pickles) if not (n.startswith(PLAIN) or _torch_type(n))]
    return "module" if strange else "state dict"


def _torch_type(name: str) -> bool:
    module, _, attribute = name.partition(" ")
    return module == "torch" and (attribute.endswith("Storage") or attribute in TORCH_NAMES)


TORCH_NAMES = frozenset({
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "device", "Size",
    "complex64", "complex128",
})  # fmt: skip


def _is_pickle(head: bytes) -> bool:
    if len(head) > 2 and head[0] == 0x80 and head[1] <= 5:
        return True
    # protocols 0 and 1 have no magic: a printable opcode that pushes or imports, and an end that parses
    return head[:1] in (b"c", b"(", b"]", b"}") and any(True for _ in pickled_names(head))


def _is_safetensors(path: Path, head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 1 < length <= path.stat().st_size - 8 and length <= 100 << 20


def _way_out(kind: Kind, path: Path) -> str:
    shown, out = shlex.quote(str(path)), shlex.quote(path.with_suffix(".onnx").name)
    if kind == "pickle" and path.suffix.lower() in SKLEARN:
        code = (
            f"import joblib, skl2onnx; m = joblib.load({json.dumps(str(path))}); "
            "t = skl2onnx.common.data_types.FloatTensorType([None, m.n_features_in_]); "
            'z = {"zipmap": False} if hasattr(m, "classes_") else None; '
            f"open({json.dumps(path.with_suffix('.onnx').name)}, 'wb').write("
            'skl2onnx.convert_sklearn(m, initial_types=[("input", t)], options=z).SerializeToString())'
        )
        return (
            "Is it scikit-learn's, and do you trust it? Then convert it once:\n"
            f"  pip install skl2onnx\n  python -c {shlex.quote(code)}\n"
            'Is it torch\'s? Then save its weights:   torch.save(model.state_dict(), "model.pth")'
        )
    weights = shlex.quote(
        path.with_suffix(".pth").name if path.suffix.lower() != ".pth" else f"{path.stem}-weights.pth"
    )
    if kind == "exported program":
        code = (
            f"import torch; model = torch.export.load({json.dumps(str(path))}); "
            f"torch.onnx.export(model, dynamo=True).save({json.dumps(path.with_suffix('.onnx').name)})"
        )
        return (
            f"Where you trust it, write it as ONNX once:   python -c {shlex.quote(code)}\n"
            f"then name the file:                          speedwell accelerate {out} ..."
        )
    if kind == "torchscript":
        code = (
            f"import torch; model = torch.jit.load({json.dumps(str(path))}, map_location='cpu'); "
            f"torch.save(dict(model.state_dict()), {json.dumps(weights)})"
        )
        return (
            f"Save its weights once, where you trust it:   python -c {shlex.quote(code)}\n"
            f"then name what builds the network:           speedwell accelerate my_package.models:build "
            f"--weights {weights} ..."
        )
    if kind in ("module", "pickle"):
        return (
            f'Save its weights once, where you trust it:   torch.save(model.state_dict(), "{weights}")\n'
            f"then name what builds the network:           speedwell accelerate my_package.models:build "
            f"--weights {weights} ..."
        )
    if kind in ("keras", "hdf5", "tflite", "saved model"):
        flag = {"tflite": "--tflite", "saved model": "--saved-model"}.get(kind, "--keras")
        note = ""
        if kind == "saved model" and path.is_file():
            flag, note = "--graphdef", " --inputs INPUT:0 --outputs OUTPUT:0"
            if path.name == "saved_model.pb":
                flag, note, shown = "--saved-model", "", shlex.quote(str(path.parent))
        return (
            f"Convert it once:   pip install tf2onnx tensorflow\n"
            f"                   python -m tf2onnx.convert {flag} {shown}{note} --output {out}\n"
            f"then name the file:   speedwell accelerate {out} ..."
        )
    return OTHERS.get(kind, "Export the network to ONNX where it was trained, and name that file.")


UNSAFE: dict[str, str] = {
    "module": "it holds a whole pickled module",
    "pickle": "it is a pickle",
    "torchscript": "it is a TorchScript archive, which carries code",
    "exported program": "it is an exported program (.pt2), which carries pickles",
}
UNSUPPORTED: dict[str, str] = {
    "keras": "it is a Keras model",
    "hdf5": "it is an HDF5 file (Keras writes these), and its layers can carry code",
    "tflite": "it is a TensorFlow Lite model",
    "saved model": "it is a TensorFlow model",
    "gguf": "it is a GGUF file, for llama.cpp",
    "openvino": "it is OpenVINO's own form; Speedwell makes that itself and needs the network it came from",
    "zip": "it is a zip archive of no kind that Speedwell knows, or a torn one",
    "numpy": "it holds arrays, not a network",
    "engine": "it is compiled for one runtime, and nothing can be changed in it any more",
}
OTHERS: dict[str, str] = {
    "gguf": "Name the Hugging Face folder that it was made from:   speedwell accelerate hf:path/to/folder ...",
    "numpy": "Name the network; arrays go to --data.",
    "zip": "Unpack it and name the model inside.",
    "openvino": "Name the ONNX file or the torch module that it was converted from.",
    "engine": "Name the ONNX file that it was compiled from.",
}
