"""Every public name of the room, loaded by ``speedwell.measure`` at first use: a worker's start stays light."""

from __future__ import annotations

from .accuracy import claim_p, judge
from .agreement import agreement_p, differing, judge_agreement, judge_with_labels
from .binomial import binomial_bounds
from .bootstrap import bootstrap_differences, bootstrap_p, judge_score
from .checks import LOSSLESS_TOLERANCE, LOSSY_FLOOR, check_outputs, compare_outputs, largest_difference
from .detection import judge_matches, look_ahead_matches
from .environment import thread_environment
from .exact import exact_p, exact_threshold, smallest_n
from .failure import failure_of, job_error
from .hodges_lehmann import hodges_lehmann_interval, signed_rank_p
from .holm import fixed_sequence, holm_holds
from .interleaving import Interleaved, interleave
from .job import run_job
from .limits import Limits
from .noninferiority import binary_p, judge_binary, judge_counts
from .power import claim_power, needed_n, tightest_margin
from .preflight import Preflight, look_ahead
from .promise import parse_promise, settle_promise
from .remote import Remote
from .reply import Reply
from .rounds import AGAIN, Pair, Rounds, run_rounds, with_control
from .speed import CLAIM_PAIRS, Control, a_a_control, at_least, pair_effects, speed_claim
from .tango import tango_interval, tango_lower, tango_upper, tango_z
from .timing import call_seconds

__all__ = [
    "AGAIN", "CLAIM_PAIRS", "LOSSLESS_TOLERANCE", "LOSSY_FLOOR", "Control", "Interleaved", "Limits", "Pair",
    "Preflight", "Remote", "Reply", "Rounds", "a_a_control", "agreement_p", "at_least", "binary_p",
    "binomial_bounds", "bootstrap_differences", "bootstrap_p", "call_seconds", "check_outputs", "claim_p",
    "claim_power", "compare_outputs", "differing", "exact_p", "exact_threshold", "failure_of", "fixed_sequence",
    "hodges_lehmann_interval", "holm_holds", "interleave", "job_error", "judge", "judge_agreement",
    "judge_binary", "judge_counts", "judge_matches", "judge_score", "judge_with_labels", "largest_difference",
    "look_ahead", "look_ahead_matches", "needed_n", "pair_effects", "parse_promise", "run_job", "run_rounds",
    "settle_promise", "signed_rank_p", "smallest_n", "speed_claim", "tango_interval", "tango_lower",
    "tango_upper", "tango_z", "thread_environment", "tightest_margin", "with_control",
]  # fmt: skip
