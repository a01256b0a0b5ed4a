"""The suites that ship with Speedwell, run on this plug-in: ``pytest test_conformance.py``."""

from __future__ import annotations

from speedwell_example.basic_engine import BasicEngine
from speedwell_example.share_constants import ShareConstants

from speedwell.testing.engines import EngineConformance
from speedwell.testing.passes import PassConformance


class TestBasicEngine(EngineConformance):
    """What every engine promises."""

    engine = BasicEngine()


class TestShareConstants(PassConformance):
    """What every pass promises."""

    passes = (ShareConstants(), ShareConstants(least_bytes=64))
