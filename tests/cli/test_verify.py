import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Call = Callable[..., CompletedProcess[str]]


def test_a_good_bundle_is_told_in_one_line(finished: tuple[Path, CompletedProcess[str]], speedwell: Call) -> None:
    done = speedwell("verify", "bundle", cwd=finished[0])
    assert done.returncode == 0, done.stderr
    assert "confirmed, runs on remembers" in done.stdout
    assert json.loads(speedwell("verify", "bundle", "--json", cwd=finished[0]).stdout)["confirmed"] is True


def test_one_flipped_bit_is_exit_code_7(
    finished: tuple[Path, CompletedProcess[str]], speedwell: Call, tmp_path: Path
) -> None:
    shutil.copytree(finished[0] / "bundle", tmp_path / "bundle")
    file = next(f for f in sorted((tmp_path / "bundle" / "model").rglob("*")) if f.is_file())
    data = bytearray(file.read_bytes())
    data[7] ^= 1
    file.write_bytes(data)
    done = speedwell("verify", "bundle", cwd=tmp_path)
    assert done.returncode == 7
    assert done.stdout == ""
