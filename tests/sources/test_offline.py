from __future__ import annotations

import os

import transformers

from speedwell.sources.offline import SETTINGS, go_offline, hushed


def test_the_hub_is_switched_off(monkeypatch):
    for name in SETTINGS:
        monkeypatch.setenv(name, "0")
    go_offline()
    assert {n: os.environ[n] for n in SETTINGS} == SETTINGS
    assert SETTINGS["HF_HUB_OFFLINE"] == "1"


def test_transformers_is_quiet_inside_and_as_before_after():
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    with hushed(transformers):
        assert logging.get_verbosity() == logging.ERROR
        assert not logging.is_progress_bar_enabled()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
