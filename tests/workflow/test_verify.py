from pathlib import Path
from typing import Any

import pytest

import speedwell
from speedwell.core.errors import BundleError


def test_what_was_signed_is_counted_and_named(live_run: Any) -> None:
    found = speedwell.verify(live_run.bundle)
    assert found.confirmed
    assert found.engine == "onnxruntime"
    assert f"{found.files} files as signed by {found.key[:16]}" in found.text


def test_an_added_file_is_refused(live_run: Any, tmp_path: Path) -> None:
    bundle = live_run.save(tmp_path / "copy")
    (bundle / "extra").write_text("x")
    with pytest.raises(BundleError):
        speedwell.verify(bundle)


def test_another_key_does_not_vouch(live_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEEDWELL_HOME", str(tmp_path / "another"))
    with pytest.raises(BundleError):
        speedwell.verify(live_run.bundle)


def test_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no bundle at"):
        speedwell.verify(tmp_path / "no")
