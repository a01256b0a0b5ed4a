from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from speedwell.core.errors import PrivacyError, ResumeError
from speedwell.training.private.secret import Secret


def test_the_key_is_kept_for_its_owner_alone_and_opened_again(tmp_path):
    path = tmp_path / "private.key"
    first = Secret.open(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    again = Secret.open(path)
    assert np.array_equal(first.bits(9, "noise", 3), again.bits(9, "noise", 3))
    assert first.name == again.name != Secret.open(tmp_path / "other.key").name
    assert bytes.fromhex(first.name) not in path.read_bytes()


def test_a_forgotten_key_gives_nothing_any_more(tmp_path):
    path = tmp_path / "private.key"
    key = (Secret.open(path), path.read_bytes())[1]
    Secret.forget(path)
    assert key not in path.read_bytes()
    spent = Secret.open(path)
    assert spent.spent
    assert spent.name == ""
    with pytest.raises(PrivacyError, match="key is gone"):
        spent.normal(3, "noise", 0)
    Secret.forget(tmp_path / "never.key")
    assert not (tmp_path / "never.key").exists()


def test_what_is_no_key_is_refused(tmp_path):
    (tmp_path / "private.key").write_bytes(b"0123")
    with pytest.raises(ResumeError, match="4 bytes"):
        Secret.open(tmp_path / "private.key")
    with pytest.raises(PrivacyError, match="3 bytes"):
        Secret(b"abc")


def test_each_place_has_numbers_of_its_own():
    secret = Secret.of_seed(0)
    places = [("noise", 0), ("noise", 1), ("sample", 0), ("noise", 0, 0), ("noise", 1, 1), ("noise", 11)]
    drawn = {secret.bits(4, *p).tobytes() for p in places}
    assert len(drawn) == len(places)
    assert Secret.of_seed(1).bits(4, "noise", 0).tobytes() not in drawn
    assert secret.number("network") != secret.number("augment")


def test_a_longer_draw_begins_with_the_shorter_one():
    secret = Secret.of_seed(0)
    assert np.array_equal(secret.uniform(100, "sample", 4)[:7], secret.uniform(7, "sample", 4))


def test_uniform_and_normal_are_that():
    secret = Secret.of_seed(0)
    uniform = secret.uniform(200_000, "sample", 1)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert stats.kstest(uniform, "uniform").pvalue > 1e-4
    normal = secret.normal(200_001, "noise", 1)
    assert len(normal) == 200_001
    assert stats.kstest(normal, "norm").pvalue > 1e-4
    assert abs(normal.var() - 1) < 5 * np.sqrt(2 / len(normal))
    # both halves come of the same pairs: they must not go together
    assert abs(np.corrcoef(normal[:100_000], normal[100_001:])[0, 1]) < 0.016


def test_the_tail_of_the_noise_is_as_long_as_64_bits_allow(monkeypatch):
    secret = Secret.of_seed(0)
    monkeypatch.setattr(secret, "bits", lambda count, *_: np.zeros(count, np.uint64))
    assert secret.normal(1, "noise")[0] == pytest.approx(np.sqrt(2 * 65 * np.log(2)))
    monkeypatch.setattr(secret, "bits", lambda count, *_: np.full(count, 2**64 - 1, np.uint64))
    assert np.isfinite(secret.normal(2, "noise")).all()


def test_generators_go_by_place():
    secret = Secret.of_seed(0)
    assert secret.generator("augment", 3).integers(1 << 60) == secret.generator("augment", 3).integers(1 << 60)
    assert secret.generator("augment", 3).integers(1 << 60) != secret.generator("augment", 4).integers(1 << 60)
