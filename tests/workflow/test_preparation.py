from pathlib import Path

import pytest

from speedwell.core.errors import DataNotFoundError, UsageError
from speedwell.workflow.preparation import promise_for, sets_of
from speedwell.workflow.prepared import DataFacts
from speedwell.workflow.settings import Settings

LABELLED = DataFacts("image-classification", "image", labelled=True, counts={"selection": 10})
UNLABELLED = DataFacts("image-classification", "image", counts={"selection": 10})
NO_DATA = DataFacts("", "generated")


@pytest.mark.parametrize(
    ("settings", "data", "kind", "margin"),
    [
        (Settings("m", "d"), LABELLED, "accuracy", 0.01),
        (Settings("m", "d", max_drop="2pt"), LABELLED, "accuracy", 0.02),
        (Settings("m", "d", agree="98%"), LABELLED, "agreement", 0.02),
        (Settings("m", "d"), UNLABELLED, "agreement", 0.01),
        (Settings("m"), NO_DATA, "equal", 0.0),
    ],
)
def test_the_promise_is_the_one_asked_for_or_the_one_the_data_can_carry(
    settings: Settings, data: DataFacts, kind: str, margin: float
) -> None:
    promise = promise_for(settings, data)
    assert promise.kind == kind
    assert promise.margin == pytest.approx(margin)


@pytest.mark.parametrize(
    ("settings", "data", "fix"),
    [
        (Settings("m", max_drop="1pt"), NO_DATA, "--data"),
        (Settings("m", agree="99%"), NO_DATA, "--data"),
        (Settings("m", "d", max_drop="1pt"), UNLABELLED, "--agree 99%"),
    ],
)
def test_a_promise_that_the_data_cannot_carry_is_refused(settings: Settings, data: DataFacts, fix: str) -> None:
    with pytest.raises(UsageError) as error:
        promise_for(settings, data)
    assert fix in error.value.fix


def test_data_that_is_not_there_is_named_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError) as error:
        sets_of(Settings("m", str(tmp_path), confirmation=str(tmp_path / "no")))
    assert "--confirmation" in error.value.fix
    assert sets_of(Settings("m", str(tmp_path))) == {"data": str(tmp_path)}
