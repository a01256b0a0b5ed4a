from __future__ import annotations

import dataclasses
import errno
import importlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest

from speedwell.bundle import BundleContents, SigningKey, read_evidence, verify_bundle, write_bundle
from speedwell.core.errors import BundleError, BundleVerificationError, OutputError

files: ModuleType = importlib.import_module("speedwell.bundle.files")
write: ModuleType = importlib.import_module("speedwell.bundle.write")


def listing(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def core_of(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in listing(folder).items() if not name.startswith("evidence/")}


def test_a_written_bundle_verifies_and_its_model_runs(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "out" / "bundle", contents)
    manifest = verify_bundle(bundle)
    assert manifest.candidate == contents.candidate
    assert manifest.original == contents.original
    assert manifest.classes == contents.classes
    x = np.ones((2, 4), np.float32)
    before = onnxruntime.InferenceSession(contents.model.payload).run(None, {"x": x})[0]
    after = onnxruntime.InferenceSession(bundle / manifest.payload).run(None, {"x": x})[0]
    assert np.array_equal(before, after)
    assert sorted(p.name for p in bundle.parent.iterdir()) == ["bundle"]


def test_modes_are_fixed_whatever_the_umask(tmp_path: Path, contents: BundleContents) -> None:
    before = os.umask(0o077)
    try:
        bundle = write_bundle(tmp_path / "bundle", contents)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in bundle.rglob("*") if p.is_file()}
    assert modes == {0o644}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (bundle, *bundle.rglob("*")) if p.is_dir()} == {0o755}


def test_equal_inputs_give_a_byte_identical_core(tmp_path: Path, contents: BundleContents) -> None:
    one = write_bundle(tmp_path / "one", contents)
    evidence = dataclasses.replace(
        contents.evidence, record=dataclasses.replace(contents.evidence.record, created=2e9, fingerprint="e" * 16)
    )
    two = write_bundle(tmp_path / "elsewhere" / "two", dataclasses.replace(contents, evidence=evidence))
    assert core_of(one) == core_of(two)
    assert listing(one) != listing(two)


def test_an_existing_bundle_is_replaced(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", dataclasses.replace(contents, confirmed=False))
    assert not verify_bundle(bundle).confirmed
    write_bundle(bundle, contents)
    assert verify_bundle(bundle).confirmed
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("two_steps", [False, True])
def test_a_failed_swap_keeps_the_old_bundle(
    tmp_path: Path, contents: BundleContents, monkeypatch: pytest.MonkeyPatch, two_steps: bool
) -> None:
    bundle = write_bundle(tmp_path / "bundle", dataclasses.replace(contents, confirmed=False))
    before = listing(bundle)
    if two_steps:
        monkeypatch.setattr(write, "exchange", lambda one, other: False)  # noqa: ARG005
        real = os.rename
        calls = []

        def rename(source: Path, target: Path) -> None:
            calls.append(target)
            if len(calls) == 2:
                raise OSError(errno.EIO, "Input/output error")
            real(source, target)

        monkeypatch.setattr(os, "rename", rename)
    else:

        def exchange(*names: Path) -> bool:
            assert len(names) == 2
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(write, "exchange", exchange)
    with pytest.raises(OutputError, match="Input/output error"):
        write_bundle(bundle, contents)
    assert listing(bundle) == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_without_an_atomic_swap_the_old_bundle_is_still_replaced(
    tmp_path: Path, contents: BundleContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = write_bundle(tmp_path / "bundle", dataclasses.replace(contents, confirmed=False))
    monkeypatch.setattr(write, "exchange", lambda one, other: False)  # noqa: ARG005
    write_bundle(bundle, contents)
    assert verify_bundle(bundle).confirmed
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_what_is_no_bundle_is_not_overwritten(tmp_path: Path, contents: BundleContents) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    with pytest.raises(OutputError, match="something else than a bundle"):
        write_bundle(folder, contents)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        write_bundle(file, contents)
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(OutputError, match="is a link"):
        write_bundle(link, contents)
    bundle = write_bundle(tmp_path / "bundle", contents)
    (bundle / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="something else than a bundle"):
        write_bundle(bundle, contents)
    assert (folder / "chapter.txt").read_text() == "years of work"
    assert (bundle / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path: Path, contents: BundleContents) -> None:
    (tmp_path / "bundle").mkdir()
    verify_bundle(write_bundle(tmp_path / "bundle", contents))


@pytest.mark.parametrize("call", ["open", "fsync", "fchmod", "rename", "mkdir", "write"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_whichever_call_fails_nothing_half_written_is_left(
    tmp_path: Path, contents: BundleContents, key: SigningKey, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    failed = 0
    for nth in range(1, 60):
        count = 0

        def counted(real, nth: int = nth):
            def inner(*args, **kwargs):
                nonlocal count
                count += 1
                if count == nth:
                    raise OSError(code, os.strerror(code))
                return real(*args, **kwargs)

            return inner

        with monkeypatch.context() as patch:
            if call == "open":
                patch.setattr(files, "open", counted(open), raising=False)
            elif call == "write":
                patch.setattr(files, "_finish", counted(files._finish))
            else:
                patch.setattr(os, call, counted(getattr(os, call)))
            try:
                write_bundle(place / "bundle", contents, key)
            except OutputError:
                failed += 1
                left = [p.name for p in place.iterdir()]
                # The last sync comes after the rename: then the whole bundle is there, and nothing else ever is.
                assert left == [] or (left == ["bundle"] and verify_bundle(place / "bundle"))
                files.remove_tree(place / "bundle")
                continue
        verify_bundle(place / "bundle")
        if count < nth:
            break
        files.remove_tree(place / "bundle")  # a failure that does no harm (mkdir of a folder that is there)
    assert failed > 0
    assert count < nth, "the loop ended before every call had failed once"
    verify_bundle(place / "bundle")


def test_a_read_only_place_is_a_typed_error(tmp_path: Path, contents: BundleContents) -> None:
    place = tmp_path / "place"
    place.write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot write the bundle"):
        write_bundle(place / "bundle", contents)
    with pytest.raises(OutputError, match="cannot write the bundle"):
        write_bundle(Path("/proc/bundle"), contents)


def test_what_a_killed_writer_left_is_swept_but_not_a_living_ones(tmp_path: Path, contents: BundleContents) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = tmp_path / f".bundle.{ended.pid}.abc.part"
    alive = tmp_path / f".bundle.{os.getppid()}.abc.part"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "half").write_text("x")
    write_bundle(tmp_path / "bundle", contents)
    assert not dead.exists()
    assert alive.exists()


def test_paths_of_this_machine_are_cut_out_of_the_evidence(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", contents)
    everything = b"".join(listing(bundle).values())
    assert b"/home/somebody" not in everything
    confirmation = read_evidence(bundle).record.confirmation
    assert confirmation is not None
    assert confirmation.reason == "kept, see ledger.jsonl"
    assert verify_bundle(bundle).reference == "net.onnx"


def test_a_path_in_the_candidate_is_refused(tmp_path: Path, contents: BundleContents) -> None:
    step = dataclasses.replace(contents.candidate.steps[0], params={"table": "/home/somebody/table.json"})
    bad = dataclasses.replace(contents, candidate=dataclasses.replace(contents.candidate, steps=(step,)))
    with pytest.raises(BundleError, match="/home/somebody"):
        write_bundle(tmp_path / "bundle", bad)
    assert not (tmp_path / "bundle").exists()


def test_evidence_comes_back(tmp_path: Path, contents: BundleContents) -> None:
    bundle = write_bundle(tmp_path / "bundle", contents)
    back = read_evidence(bundle)
    assert back.record.timings[0].candidate == ((0.01, 0.01),)
    assert np.array_equal(back.scores["winner"].answers, [2, 0])
    assert back.probe is not None
    assert back.probe.tolerance == 0.05
    with pytest.raises(BundleVerificationError):
        read_evidence(tmp_path)


def beside(payload: Path) -> None:
    """What an engine may bring: a folder with a text and bytes, written with whatever modes it has."""
    folder = payload.with_name(payload.name + ".plan")
    folder.mkdir(mode=0o700)
    (folder / "plan.json").write_text('{"operators": ["/layer/MatMul"]}')
    (folder / "weights").write_bytes(payload.read_bytes()[:10])
    (folder / "weights").chmod(0o600)


def test_files_beside_the_model_are_signed_and_verified_as_all_others(
    tmp_path: Path, contents: BundleContents, key: SigningKey
) -> None:
    carrying = dataclasses.replace(contents, beside=beside)
    bundle = write_bundle(tmp_path / "bundle", carrying, key)
    listed = {f.path for f in verify_bundle(bundle).files}
    assert {"model/model.onnx", "model/model.onnx.plan/plan.json", "model/model.onnx.plan/weights"} <= listed
    assert {stat.S_IMODE(p.stat().st_mode) for p in bundle.rglob("*") if p.is_file()} == {0o644}
    assert {stat.S_IMODE(p.stat().st_mode) for p in bundle.rglob("*") if p.is_dir()} == {0o755}
    assert (bundle / "manifest.json").read_bytes() == (
        write_bundle(tmp_path / "again", carrying, key) / "manifest.json"
    ).read_bytes()
    (bundle / "model" / "model.onnx.plan" / "weights").write_bytes(b"0123456789")
    with pytest.raises(BundleVerificationError, match=r"model\.onnx\.plan/weights"):
        verify_bundle(bundle)


def test_files_beside_the_model_name_nothing_of_this_machine(tmp_path: Path, contents: BundleContents) -> None:
    def telling(payload: Path) -> None:
        beside(payload)
        (payload.with_name(payload.name + ".plan") / "plan.json").write_text('["/home/somebody/nets/layer"]')

    with pytest.raises(BundleError, match="somebody"):
        write_bundle(tmp_path / "bundle", dataclasses.replace(contents, beside=telling))
    assert not (tmp_path / "bundle").exists()


def test_a_link_beside_the_model_is_not_written(tmp_path: Path, contents: BundleContents) -> None:
    def linking(payload: Path) -> None:
        payload.with_name("key").symlink_to("/etc/hostname")

    with pytest.raises(OutputError, match="cannot write the bundle"):
        write_bundle(tmp_path / "bundle", dataclasses.replace(contents, beside=linking))
    assert not (tmp_path / "bundle").exists()
