"""The parent only hands out work: it stays small and maps no engine, whatever its workers load."""

from watched_run import Watched


def test_the_parent_stays_under_600_mb(watched: Watched) -> None:
    assert watched.code == 0, watched.said
    assert 0 < watched.peak_kilobytes < 600 * 1024


def test_the_parent_loads_no_engine(watched: Watched) -> None:
    assert watched.mapped
    for library in ("libtorch", "onnxruntime", "openvino"):
        assert library not in watched.mapped
