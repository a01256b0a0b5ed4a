import subprocess
import sys

import pytest

import speedwell.measure as measure
from speedwell.measure import public


def test_the_room_offers_what_its_list_says():
    assert measure.__all__ == public.__all__
    for name in measure.__all__:
        assert getattr(measure, name) is getattr(public, name)
    with pytest.raises(AttributeError):
        measure.nothing  # noqa: B018


def test_no_public_name_is_hidden_by_a_file_of_that_name():
    code = (
        "import speedwell.measure.interleaving, speedwell.measure.tango, speedwell.measure as m, types\n"
        "assert not [n for n in m.__all__ if isinstance(getattr(m, n), types.ModuleType)]"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_importing_the_room_imports_no_heavy_library():
    code = (
        "import sys, speedwell.measure as m; m.Remote; print({'torch', 'onnx', 'openvino', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr
