import json
import signal
from dataclasses import dataclass

import pytest

from speedwell.cli.screen import progress, say


@dataclass(frozen=True)
class Said:
    number: int

    @property
    def text(self) -> str:
        return f"it is {self.number}"


def test_an_answer_is_words_or_data(capsys: pytest.CaptureFixture[str]) -> None:
    say(Said(3), as_json=False)
    say(Said(3), as_json=True)
    words, data = capsys.readouterr().out.splitlines()
    assert words == "it is 3"
    assert json.loads(data) == {"number": 3}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ends_come_as_ctrl_c_does_and_handlers_are_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), progress(quiet=True, as_json=False):
        signal.raise_signal(number)
    assert signal.getsignal(number) == before
