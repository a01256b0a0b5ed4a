"""The rows of one setting of ``native.py``."""

from __future__ import annotations

import numpy as np

from interval import timed_ratio
from native_checks import Contest
from native_contenders import BUSY, Contender, held_note
from native_networks import Setting
from record import Record
from speedwell.core import Workload
from speedwell.measure import AGAIN, Rounds, a_a_control

__all__ = ["network_rows", "speed_rows"]

LEAST_PEERS = 3
MEGABYTE = 1e6


def speed_rows(setting: Setting, record: Record, contest: Contest, taken: Rounds, words: str, how: str) -> None:
    """Our static int8 against every peer (the case itself), then our other forms against the peers of their form, or
    all where the contender says so.

    ``words``: what each note says of weights and inputs. ``how`` peers were held to AVX2, if so.
    """
    ours, peers = _sides(contest)
    first = ours[0]
    working = sum(timed_ratio(taken, p.name, first.name) is not None for p in peers)
    for mine in ours:
        case = setting.case if mine is first else f"{setting.case}, {mine.name}"
        if mine.name.endswith(BUSY):
            _row(case, record, contest, taken, mine, first, "itself at its quiet time")
            continue
        for peer in peers:
            if not mine.against_all and peer.form != mine.form:
                continue
            note = f"{words}; {_cosines(contest, mine, peer)}"
            if how and peer.name in contest.checked:
                note += f"; {held_note(peer, contest.checked[peer.name].facts, how)}"
            enough = not mine.against_all or working >= LEAST_PEERS
            _row(case, record, contest, taken, mine, peer, note, peer.group(mine), enough)
    _control(setting, record, taken, first.name)


def network_rows(setting: Setting, record: Record, contest: Contest, taken: Rounds) -> None:
    """Cosines of the int8 contenders, time to open, memory of a session: once for each network."""
    ours, peers = _sides(contest)
    name = setting.case
    for contender in (*ours, *peers):
        checked = contest.checked.get(contender.name)
        if checked is None or contender.form == "float" or contender.name.endswith(BUSY):
            continue
        mean, lowest = checked.cosine
        record.row(f"{name}, cosine to float32", "mean over rows", mean, contender.name, note=f"lowest {lowest:.4f}")
    first = ours[0]
    mine = contest.checked.get(first.name)
    if mine is None:
        return
    lowering = "; ".join(f"{form} {s:.1f} s" for form, s in contest.products.lowering.items())
    session = _session_bytes(contest, taken, first.name)
    for peer in peers:
        if (theirs := contest.checked.get(peer.name)) is None:
            continue
        opened, other = mine.facts["open_seconds"], theirs.facts["open_seconds"]
        note = f"one reading, the first run included; lowering before, once: {lowering}"
        record.row(f"{name}, open", "s", opened, peer.name, other, other / opened, n=1, note=note)
        (a, whole), (b, all_) = session, _session_bytes(contest, taken, peer.name)
        note = f"over its library's own; with it {whole:.0f} against {all_:.0f}"
        record.row(f"{name}, memory", "MB at the peak", a, peer.name, b, b / a, n=len(taken.rounds) + 1, note=note)


def _sides(contest: Contest) -> tuple[list[Contender], list[Contender]]:
    ours = [c for c in contest.contenders if c.runner == "native"]
    return ours, [c for c in contest.contenders if c.runner != "native"]


def _row(
    case: str, record: Record, contest: Contest, taken: Rounds, mine: Contender, peer: Contender, note: str,
    group: str = "", enough: bool = True,
) -> None:  # fmt: skip
    """``enough``: as many peers work as a valid case needs."""
    metric = f"ms, {group}" if group else "ms"
    a, b = (_milliseconds(taken, c.name) for c in (mine, peer))
    found = timed_ratio(taken, peer.name, mine.name)
    if found is None:
        why = [f"{name}: {contest.failed[name]}" for name in (mine.name, peer.name) if name in contest.failed]
        record.row(case, metric, a, peer.name, b, note="; ".join(why) or "not timed")
    elif not enough:
        note = f"invalid: fewer than {LEAST_PEERS} peers work ({found[0]:.2f}x); {note}"
        record.row(case, metric, a, peer.name, b, n=found[3], note=note)
    else:
        record.row(case, metric, a, peer.name, b, *found, note)


def _control(setting: Setting, record: Record, taken: Rounds, name: str) -> None:
    """Ours against itself; of all settings, the control furthest from 1 is the record's."""
    if (found := timed_ratio(taken, name, name + AGAIN)) is None:
        return
    ratio, low, high, n = found
    control = a_a_control(taken.pairs(name, name + AGAIN), name, Workload(setting.batch, setting.threads))
    note = f"machine too noisy: no claim under {control.floor:.2f}x" if control.noisy else ""
    a, b = (_milliseconds(taken, w) for w in (name, name + AGAIN))
    record.row(f"{setting.case}, A/A", "ms", a, name + AGAIN, b, ratio, low, high, n, note)
    reach = max(high, 1 / low)
    if record.aa is None or reach > max(record.aa["high"], 1 / record.aa["low"]):
        record.control(ratio, low, high)


def _cosines(contest: Contest, mine: Contender, peer: Contender) -> str:
    known = [contest.checked[c.name].cosine[0] if c.name in contest.checked else None for c in (mine, peer)]
    return "cosine " + " / ".join("-" if c is None else f"{c:.4f}" for c in known)


def _session_bytes(contest: Contest, taken: Rounds, name: str) -> tuple[float, float]:
    """Megabytes of a session over what its libraries take, and with them: the largest of all its processes."""
    facts = contest.checked[name].facts
    whole = max(facts["peak"], taken.memory.get(name, 0))
    return (whole - facts["imported"]) / MEGABYTE, whole / MEGABYTE


def _milliseconds(taken: Rounds, name: str) -> float | None:
    calls = [s for _, taken_ in taken.pairs(name, name) for s in taken_]
    return 1e3 * float(np.median(calls)) if calls else None
