import inspect

import pytest

from speedwell.core import FailureKind, errors
from speedwell.core.errors import DataNotFoundError, JobError, ModelNotFoundError, SpeedwellError

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, SpeedwellError)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_every_error_has_words_a_fix_and_an_exit_code(kind: type[SpeedwellError]) -> None:
    error = kind("it is 3", "Make it 2.")
    assert str(error) == "it is 3\nMake it 2."
    assert str(kind("it is 3")) == (f"it is 3\n{kind.usual_fix}" if kind.usual_fix else "it is 3")
    assert error.as_dict() == {
        "error": kind.__name__, "what": "it is 3", "fix": "Make it 2.", "exit_code": kind.exit_code,
    }  # fmt: skip
    assert 0 < kind.exit_code < 126, "0 is success; from 126 on codes are the shell's"
    assert kind.__name__ in errors.__all__
    assert kind.__doc__


def test_children_of_one_situation_share_its_exit_code() -> None:
    groups = {k.exit_code for k in CLASSES if k.__base__ is SpeedwellError}
    assert len(groups) >= 9
    for kind in CLASSES:
        if kind.__base__ not in (SpeedwellError, Exception):
            assert kind.exit_code == kind.__base__.exit_code, kind  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", FailureKind)
def test_a_job_s_error_holds_its_kind(kind: FailureKind) -> None:
    assert FailureKind(JobError("gone", "", kind.value).kind) is kind


@pytest.mark.parametrize("kind", [ModelNotFoundError, DataNotFoundError])
def test_a_missing_file_has_a_way_out_even_where_nothing_is_known_of_it(kind: type[SpeedwellError]) -> None:
    assert "Check the path" in kind("there is no file x").fix
    assert kind("there is no file x", "Write it first.").fix == "Write it first."
