import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core import canonical, content_hash, decode, dumps, encode, loads


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Leaf:
    name: str
    number: int | None = None


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...] = ()
    pair: tuple[int, str] = (0, "")
    colour: Colour = Colour.RED
    where: Path = Path(".")
    share: float = 0.0
    words: frozenset[str] = frozenset()
    by_name: Mapping[str, Leaf] = field(default_factory=dict)
    free: Any = None
    either: int | str = 0


LEAVES = st.builds(Leaf, st.text(max_size=5), st.none() | st.integers(-5, 5))
FREE = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
TREES = st.builds(
    Tree,
    leaves=st.lists(LEAVES, max_size=3).map(tuple),
    pair=st.tuples(st.integers(), st.text(max_size=4)),
    where=st.just(Path("a/b")),
    share=st.floats(allow_nan=False, allow_infinity=False),
    words=st.frozensets(st.text(max_size=3), max_size=3),
    by_name=st.dictionaries(st.text(max_size=3), LEAVES, max_size=2),
    free=FREE,
    either=st.integers() | st.text(max_size=3),
)


@given(TREES)
def test_what_is_written_is_read_back(tree: Tree) -> None:
    assert loads(Tree, dumps(tree)) == tree
    assert content_hash(loads(Tree, dumps(tree))) == content_hash(tree)


@given(st.dictionaries(st.text(max_size=4), st.integers(), max_size=5))
def test_the_order_of_keys_changes_no_hash(values: dict[str, int]) -> None:
    assert canonical(values) == canonical(dict(reversed(list(values.items()))))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float32("nan"), [1.0, float("nan")]])
def test_no_record_holds_what_json_cannot_say(value: Any) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        encode(value)


@pytest.mark.parametrize("value", [object(), b"bytes", 1j, Leaf])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot write"):
        encode(value)


def test_arrays_keep_dtype_and_shape() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    again = decode(np.ndarray, json.loads(json.dumps(encode(array))))
    np.testing.assert_array_equal(again, array)
    assert again.dtype == array.dtype


def test_a_field_of_a_later_version_is_left_out() -> None:
    assert decode(Leaf, {"name": "a", "number": 1, "shine": 3}) == Leaf("a", 1)


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 99"):
        loads(Leaf, json.dumps({"schema": 99, "record": {"name": "a"}}))
