from pathlib import Path

import pytest

import speedwell
from speedwell.core.errors import OutputError, UsageError


def test_an_unknown_demo_names_those_there_are(inside: Path) -> None:
    with pytest.raises(UsageError, match="no demo 'poetry'") as error:
        speedwell.demo("poetry")
    assert "speedwell demo text" in error.value.fix
    assert not list(inside.iterdir())


def test_a_place_with_other_files_is_refused_before_training(inside: Path) -> None:
    (inside / "demo-out" / "bundle").mkdir(parents=True)
    (inside / "demo-out" / "bundle" / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match="is no bundle"):
        speedwell.demo()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["images", "text"])
def test_the_demo_ends_with_a_certified_winner(inside: Path, what: str) -> None:
    done = speedwell.demo(what, out=inside / "demo-out")
    assert done.result.best is not None
    assert done.result.confirmations[0].accuracy.n >= 1000
    assert done.report().is_file()
