"""The search: which pipelines there are, in which order they are tried, what was found, and what it may cost."""

from __future__ import annotations

from .budget import RESERVED_SHARE, Budget, parse_seconds, spell_seconds
from .describe import DryRow, describe
from .estimates import Estimates
from .judgement import Compare, Comparison, Judgement, finalists, front, judge, judge_all, refusals
from .ladder import plan, propose
from .latency import ratio, seconds_per_run
from .ledger import LEDGER_NAME, Entry, Ledger
from .offers import EngineOffer, PassOffer
from .proposal import Plan, Proposal
from .space import Space
from .store import STORE_NAME, Store

__all__ = [
    "LEDGER_NAME", "RESERVED_SHARE", "STORE_NAME", "Budget", "Compare", "Comparison", "DryRow", "EngineOffer", "Entry",
    "Estimates", "Judgement", "Ledger", "PassOffer", "Plan", "Proposal", "Space", "Store", "describe", "finalists",
    "front", "judge", "judge_all", "parse_seconds", "plan", "propose", "ratio", "refusals", "seconds_per_run",
    "spell_seconds",
]  # fmt: skip
