from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from speedwell.bundle import fingerprint, home, own_key, trusted_keys
from speedwell.core.errors import BundleSignatureError, OutputError


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "home"
    key = own_key(folder)
    assert stat.S_IMODE(key.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = key.private.read_bytes()
    assert own_key(folder) == key
    assert key.private.read_bytes() == before
    assert sorted(p.name for p in folder.iterdir()) == ["signing.key", "signing.pub"]


def test_first_runs_at_once_end_with_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        prints = set(pool.map(lambda _: own_key(tmp_path / "home").fingerprint, range(8)))
    assert len(prints) == 1


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    key.private.chmod(0o644)
    with pytest.raises(BundleSignatureError, match="0644") as caught:
        own_key(tmp_path)
    assert "chmod 600" in caught.value.fix


def test_a_lost_public_half_comes_back(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    before = key.fingerprint
    key.public.unlink()
    assert own_key(tmp_path).fingerprint == before


def test_a_broken_private_key_is_a_typed_error(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    key.private.write_text("nonsense")
    with pytest.raises(BundleSignatureError, match="cannot be read"):
        own_key(tmp_path)


def test_a_home_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        own_key(tmp_path / "file" / "home")
    assert "SPEEDWELL_HOME" in caught.value.fix


def test_home_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEEDWELL_HOME", str(tmp_path / "own"))
    assert home() == tmp_path / "own"
    monkeypatch.delenv("SPEEDWELL_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert home() == tmp_path / "config" / "speedwell"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / ".config" / "speedwell"


def test_trusted_are_the_own_key_and_those_put_beside_it(tmp_path: Path) -> None:
    assert trusted_keys(tmp_path / "home") == ()
    own = own_key(tmp_path / "home")
    team = own_key(tmp_path / "team")
    (tmp_path / "home" / "trusted").mkdir()
    placed = tmp_path / "home" / "trusted" / "team.pub"
    placed.write_bytes(team.public.read_bytes())
    assert trusted_keys(tmp_path / "home") == (own.public, placed)
    assert fingerprint(placed) == team.fingerprint


def test_a_file_that_is_no_key_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "x.pub").write_text("ssh-ed25519 AAAA")
    with pytest.raises(BundleSignatureError, match="no public key"):
        fingerprint(tmp_path / "x.pub")
    with pytest.raises(BundleSignatureError, match="cannot read"):
        fingerprint(tmp_path / "missing.pub")
