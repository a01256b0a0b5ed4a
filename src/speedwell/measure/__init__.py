"""Worker processes, paired latency, and the statistics of every claim (docs/architecture.md, "measure").

The names below are loaded at first use: a worker imports only what it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .public import (
        AGAIN,
        CLAIM_PAIRS,
        LOSSLESS_TOLERANCE,
        LOSSY_FLOOR,
        Control,
        Interleaved,
        Limits,
        Pair,
        Preflight,
        Remote,
        Reply,
        Rounds,
        a_a_control,
        agreement_p,
        at_least,
        binary_p,
        binomial_bounds,
        bootstrap_differences,
        bootstrap_p,
        call_seconds,
        check_outputs,
        claim_p,
        claim_power,
        compare_outputs,
        differing,
        exact_p,
        exact_threshold,
        failure_of,
        fixed_sequence,
        hodges_lehmann_interval,
        holm_holds,
        interleave,
        job_error,
        judge,
        judge_agreement,
        judge_binary,
        judge_counts,
        judge_matches,
        judge_score,
        judge_with_labels,
        largest_difference,
        look_ahead,
        look_ahead_matches,
        needed_n,
        pair_effects,
        parse_promise,
        run_job,
        run_rounds,
        settle_promise,
        signed_rank_p,
        smallest_n,
        speed_claim,
        tango_interval,
        tango_lower,
        tango_upper,
        tango_z,
        thread_environment,
        tightest_margin,
        with_control,
    )

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import public

    globals().update({n: getattr(public, n) for n in __all__})
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
