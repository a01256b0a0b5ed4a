from __future__ import annotations

import logging
import sys
import warnings

import pytest

from speedwell.passes.quiet import quiet


def test_nothing_gets_out_and_prints_are_kept(capfd, caplog):
    with quiet() as heard:
        print("printed")
        print("on stderr", file=sys.stderr)
        logging.getLogger("some.library").error("logged")
        warnings.warn("warned", UserWarning, stacklevel=1)
    captured = capfd.readouterr()
    assert (captured.out, captured.err, caplog.text) == ("", "", "")
    assert "printed" in heard.getvalue()


def test_errors_come_through_and_logging_comes_back(caplog):
    with pytest.raises(ValueError, match="mine"), quiet():
        raise ValueError("mine")
    logging.getLogger("some.library").error("after")
    assert "after" in caplog.text
