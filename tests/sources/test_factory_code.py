from __future__ import annotations

import sys

import pytest

from speedwell.core.errors import ModelError, ModelNotFoundError, UnsupportedModelError
from speedwell.sources.factory_code import call_factory, find_factory, split_reference


@pytest.fixture(autouse=True)
def _clean_imports(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith(("torch", "numpy")):
            del sys.modules[name]


def test_a_file_and_a_module_come_to_the_same(write_code, tmp_path, monkeypatch):
    path = write_code(name="code_a/net_a.py")
    monkeypatch.chdir(tmp_path / "code_a")
    assert split_reference(f"{path}:build") == ("net_a:build", (str(path.parent),))
    assert split_reference("net_a.py:build") == split_reference("net_a:build") == ("net_a:build", (str(path.parent),))
    assert call_factory("net_a:build", (str(path.parent),))[0].head.out_features == 3


def test_a_file_in_a_package_may_import_its_neighbours(write_code):
    (write_code("", "pkg_b/__init__.py", base="")).touch()
    write_code("SIZE = 5", "pkg_b/sizes.py", base="")
    path = write_code("from .sizes import SIZE\ndef five(): return Net(SIZE)", "pkg_b/models.py")
    reference, search_path = split_reference(f"{path}:five")
    assert reference == "pkg_b.models:five"
    assert call_factory(reference, search_path)[0].head.out_features == 5


def test_a_file_with_a_taken_name_is_not_confused_with_the_other(write_code):
    path = write_code(name="json.py")
    reference, search_path = split_reference(f"{path}:build")
    assert call_factory(reference, search_path)[0].head.out_features == 3
    assert "decoder" in dir(sys.modules["json"])


def test_a_class_a_method_and_a_ready_module_are_factories_too(write_code):
    path = write_code("class Zoo:\n    make = staticmethod(build)\nready = Net(7)", name="net_c.py")
    _, folders = split_reference(f"{path}:Net")
    assert call_factory("net_c:Net", folders)[0].head.out_features == 3
    assert call_factory("net_c:Zoo.make", folders)[0].head.out_features == 3
    assert call_factory("net_c:ready", folders)[0].head.out_features == 7


def test_the_files_folder_is_searched(write_code):
    write_code("WIDTH = 6", "width_d.py", base="")
    path = write_code("import width_d\ndef wide(): return Net(width_d.WIDTH)", name="net_d.py")
    assert call_factory(*split_reference(f"{path}:wide"))[0].head.out_features == 6


@pytest.mark.parametrize(
    ("code", "name", "error", "words"),
    [
        ("", "bild", ModelNotFoundError, r"no 'bild'[\s\S]*It has: Net, build"),
        ("def f(n, depth): return Net(n)", "f", UnsupportedModelError, r"wants arguments: n, depth[\s\S]*def build"),
        ("def f(): return [1]", "f", UnsupportedModelError, "returned a list, not a torch.nn.Module"),
        ("def f(): return Net().state_dict()", "f", UnsupportedModelError, "OrderedDict"),
        ("number = 3", "number", UnsupportedModelError, "a int, not something to call"),
        ("def f():\n    raise ValueError('no such depth')", "f", ModelError,
         r"your code\) failed: ValueError: no such depth \(net_e\d\.py, line \d+\)"),
        ("def f():\n    raise SystemExit(3)", "f", ModelError, "SystemExit: 3"),
        ("import no_such_lib", "build", ModelError, r"cannot be imported: ModuleNotFoundError: .*no_such_lib"),
        ("1 / 0", "build", ModelError, r"ZeroDivisionError.*net_e\d\.py"),
        ("def f(:", "f", ModelError, "SyntaxError"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_users_code_is_said_in_its_own_words(write_code, code, name, error, words, request):
    path = write_code(code, name=f"net_e{abs(hash(request.node.name)) % 10}.py")
    with pytest.raises(error, match=words):
        call_factory(*split_reference(f"{path}:{name}"))


def test_modules_and_files_that_are_not_there_are_not_found(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"no Python module 'no_such_pkg\.models'"):
        find_factory("no_such_pkg.models:build", (str(tmp_path),))
    with pytest.raises(ModelNotFoundError, match="no file"):
        split_reference(f"{tmp_path}/gone.py:build")
