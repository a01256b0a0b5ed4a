"""What the documentation says can be imported: names, verbs, rooms; and what importing does not load."""

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import speedwell

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(speedwell.__path__, "speedwell.") if not m.name.endswith("__main__")
)
PACKAGES = [n for n in MODULES if importlib.util.find_spec(n).submodule_search_locations]
COMPILED = [n for n in MODULES if not (importlib.util.find_spec(n).origin or "").endswith(".py")]
VERBS = [n for n in speedwell.__all__ if n not in ("SpeedwellError", "__version__")]
WRITTEN_OUT = ("speedwell.workflow.demo_network", "speedwell.workflow.demo_encoder")
"""Files that `speedwell demo` copies into the user's folder: they read as the user's own."""
HEAVY = ("torch", "onnx", "onnxruntime", "openvino", "transformers", "tokenizers", "datasets", "scipy")


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that ``statement`` loads in a fresh Python."""
    code = f"import sys\n{statement}\nprint(*sorted({{n.partition('.')[0] for n in sys.modules}}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("name", speedwell.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(speedwell, name) is not None
    assert name in dir(speedwell)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_verb"):
        speedwell.no_such_verb  # noqa: B018 - reading it is the test


@pytest.mark.parametrize("name", MODULES)
def test_every_name_in_all_resolves(name: str) -> None:
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        assert getattr(module, public) is not None, f"{name}.{public}"


@pytest.mark.parametrize("name", [n for n in MODULES if n not in (*PACKAGES, *WRITTEN_OUT, *COMPILED)])
def test_every_file_says_what_is_public(name: str) -> None:
    assert isinstance(importlib.import_module(name).__all__, (list, tuple))


def test_verbs_stay_callable_once_every_submodule_is_imported() -> None:
    code = "import importlib, speedwell\n"
    code += "".join(f"importlib.import_module({name!r})\n" for name in MODULES)
    code += f"bad = [v for v in {VERBS!r} if not callable(getattr(speedwell, v))]\nassert not bad, bad"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("first", ["import speedwell.cli.compare", "import speedwell.workflow.open"])
def test_verbs_are_functions_whatever_was_imported_first(first: str) -> None:
    loaded_by(f"{first}; import speedwell; assert all(callable(getattr(speedwell, v)) for v in {VERBS!r})")


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_says_what_it_does(name: str) -> None:
    verb = getattr(speedwell, name)
    assert callable(verb)
    assert verb.__doc__
    assert verb.__module__.startswith("speedwell.workflow")


def test_importing_speedwell_loads_nothing_heavy() -> None:
    assert not loaded_by("import speedwell") & {*HEAVY, "numpy", "PIL", "jinja2", "rich", "typer"}


@pytest.mark.parametrize(
    "room",
    ["core", "inputs", "sources", "measure", "bundle", "search", "report", "native", "tasks", "engines", "passes"],
)
def test_importing_a_room_loads_no_heavy_library(room: str) -> None:
    assert not loaded_by(f"import speedwell.{room}") & set(HEAVY)


def test_help_loads_neither_numpy_nor_torch() -> None:
    statement = (
        "import contextlib, io; sys.argv = ['speedwell', '--help']\n"
        "from speedwell.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()"
    )
    assert not loaded_by(statement) & {*HEAVY, "numpy"}


def test_the_version_is_pyproject_s() -> None:
    assert speedwell.__version__ == PYPROJECT["project"]["version"]
    answer = subprocess.run(
        [sys.executable, "-m", "speedwell", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() == f"speedwell {PYPROJECT['project']['version']}"


def test_the_command_is_installed_under_the_name_that_pyproject_gives() -> None:
    module, _, function = PYPROJECT["project"]["scripts"]["speedwell"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_every_extra_that_a_message_names_exists() -> None:
    from speedwell.core.extras import EXTRAS

    declared = set(PYPROJECT["project"]["optional-dependencies"])
    assert set(EXTRAS.values()) <= declared
    for name in declared:
        for requirement in PYPROJECT["project"]["optional-dependencies"][name]:
            if found := re.match(r"speedwell\[(.+)\]", requirement):
                assert set(found[1].split(",")) <= declared
