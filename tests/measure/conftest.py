"""Puts this folder on ``sys.path``: worker processes import ``measure_jobs`` as they would a user's module."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
