import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from speedwell.cli.app import app, main

Call = Callable[..., CompletedProcess[str]]
VERBS = ("accelerate", "compare", "run", "label", "report", "verify", "doctor", "demo", "explain")


def test_help_names_every_verb(speedwell: Call, tmp_path: Path) -> None:
    done = speedwell("--help", cwd=tmp_path)
    assert done.returncode == 0
    for verb in VERBS:
        assert f"  {verb} " in done.stdout
    assert "fastest model" in done.stdout


@pytest.mark.parametrize("verb", [*VERBS, "explain plan"])
def test_each_verb_s_help_explains_every_option(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["speedwell", *verb.split(), "-h"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"Usage: speedwell {verb}" in text
    options = [line.split() for line in text.splitlines() if line.lstrip().startswith("--")]
    assert all(len(words) > 2 or len(words[0]) > 24 for words in options), "an option without its words"


def test_every_command_has_a_docstring() -> None:
    for registered in app.registered_commands:
        assert registered.callback is not None
        assert registered.callback.__doc__


@pytest.mark.parametrize("arguments", [(), ("poetry",), ("accelerate", "--nope"), ("run",), ("compare", "a")])
def test_a_wrong_call_is_exit_code_2_with_usage(speedwell: Call, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = speedwell(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Usage: speedwell" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error_to_look_at(tmp_path: Path) -> None:
    shell = f'"{sys.executable}" -m speedwell doctor | true; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode in (0, 1, 141), "0: it had said all before"
