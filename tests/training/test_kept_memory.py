from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import contextlib, json, os, resource, sys
import numpy as np
from speedwell.training import kept_memory as module

context = module.kept_memory if sys.argv[1] == "kept" else contextlib.nullcontext

def held():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

def step():
    for size in (8 << 20, 48 << 20):
        np.empty(size, np.uint8).fill(1)

before = held()
with context():
    step()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        step()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    inside = held() - before
print(json.dumps({"faults": faults, "inside": inside, "after": held() - before}))
"""


def run(how):
    done = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_step_uses_the_memory_of_the_one_before():
    kept, plain = run("kept"), run("plain")
    assert kept["faults"] < 100
    assert plain["faults"] > 1000  # if this fails, the system does by itself what kept_memory is for
    assert 48 << 20 <= kept["inside"] < 80 << 20


def test_at_the_end_it_is_given_back():
    assert run("kept")["after"] < 8 << 20
