"""One direction of imports: a room imports only rooms of a lower level, lazy imports included."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "speedwell"
LEVELS = {
    "core": 0,
    "networks": 0.5,  # over core, under everything that opens or trains a network
    "inputs": 1, "sources": 1, "measure": 1, "bundle": 1, "search": 1, "report": 1, "native": 1,
    "tasks": 2, "engines": 2, "passes": 2, "training": 2,
    "workflow": 4,
    "cli": 5, "testing": 5,
}  # fmt: skip
CORE_MAY_IMPORT = {"numpy"}
LOADERS = {"core/registry.py", "core/extras.py"}

FILES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ""


def imported(path: Path) -> list[str]:
    """Absolute names of every module that a file imports, wherever the import stands."""
    package = ["speedwell", *path.relative_to(ROOT).parts[:-1]]
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names += [module] if node.module else [f"{module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path):
    room = room_of(path)
    if not room:
        return  # the package's own __init__ and __main__ name the public verbs
    assert room in LEVELS, f"{room} is not a listed room: add it to docs/architecture.md and to LEVELS"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "speedwell" and len(parts) > 1 and parts[1] != room and parts[1] != "__version__":
            assert parts[1] in LEVELS, f"{path} imports {name}, which is no room"
            assert LEVELS[parts[1]] < LEVELS[room], f"{room} (level {LEVELS[room]}) imports {name}"
        assert not (parts[:2] == ["speedwell", "testing"] and room != "testing"), "nothing imports testing"


@pytest.mark.parametrize("path", [f for f in FILES if room_of(f) == "core"], ids=lambda p: p.name)
def test_core_needs_numpy_and_the_standard_library_only(path):
    import sys

    for name in imported(path):
        root = name.split(".")[0]
        assert root in sys.stdlib_module_names or root in CORE_MAY_IMPORT or root == "speedwell", name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_loaded_by_name_only_in_the_loader(path):
    where = path.relative_to(ROOT).as_posix()
    if where in LOADERS:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            arguments = " ".join(ast.unparse(a) for a in node.args)
            assert "speedwell" not in arguments, f"{where} loads {arguments} by name"


def test_no_room_has_the_name_of_a_public_verb():
    import pkgutil

    import speedwell

    verbs = {name for name in speedwell.__all__ if callable(getattr(speedwell, name))}
    rooms = {module.name for module in pkgutil.iter_modules(speedwell.__path__)}
    assert not verbs & rooms


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_names_say_what_a_file_holds_and_files_stay_readable(path):
    assert path.stem not in ("utils", "util", "helpers", "helper", "common", "misc")
    assert len(path.read_text().splitlines()) <= 400, f"{path}: split it"
