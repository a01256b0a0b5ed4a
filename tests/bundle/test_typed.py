from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.bundle.typed import decode_checked, loads_checked
from speedwell.core import Promise, SpeedClaim, TensorSpec, Workload, dumps, encode


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        (Promise, {"kind": "accuracy", "margin": "0.01x", "stated": "1pt"}),
        (Promise, {"kind": 3, "margin": 0.01, "stated": "1pt"}),
        (Promise, {"kind": "accuracy", "margin": float("1e400"), "stated": "1pt"}),
        (Promise, {"margin": 0.01}),
        (Promise, []),
        (Workload, {"batch": 1.5, "threads": 1}),
        (Workload, {"batch": True, "threads": 1}),
        (Workload, {"batch": 1, "threads": 1, "shapes": {"x": ["a"]}}),
        (Workload, {"batch": 1, "threads": 1, "shapes": [1]}),
        (Workload, {"batch": 1, "threads": 1, "scenario": "none"}),
        (Workload, {"batch": 0, "threads": 1}),
        (TensorSpec, {"name": "x", "dtype": "float32", "shape": [1.5]}),
        (TensorSpec, {"name": "x", "dtype": "float32", "shape": None}),
        (SpeedClaim, {"verdict": "fast"}),
    ],
)
def test_a_value_of_the_wrong_type_is_a_value_error(kind: type, record: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_checked(kind, record)
    with pytest.raises(ValueError, match=r".+"):
        loads_checked(kind, json.dumps({"schema": 1, "record": record}))


@given(st.text(), st.lists(st.integers(-9, 9) | st.text(max_size=3), max_size=4))
def test_what_core_writes_is_accepted(name: str, shape: list[int | str]) -> None:
    spec = TensorSpec(name, "float32", tuple(shape))
    assert loads_checked(TensorSpec, dumps(spec)) == spec
    workload = Workload(2, 1, {name: (1, 2)})
    assert decode_checked(Workload, encode(workload)) == workload
