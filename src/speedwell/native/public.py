"""Every public name of the room, loaded by ``speedwell.native`` at first use."""

from __future__ import annotations

from .engine import available, supported_isas
from .explanation import Explanation, explain
from .kept_plan import find_plan, keep_plan
from .lowering import LowerOptions, PlanFacts, lower
from .plan import Plan
from .plan_folder import read_plan
from .session import Session
from .write import write_plan

__all__ = [
    "Explanation", "LowerOptions", "Plan", "PlanFacts", "Session", "available", "explain", "find_plan", "keep_plan",
    "lower", "read_plan", "supported_isas", "write_plan",
]  # fmt: skip
