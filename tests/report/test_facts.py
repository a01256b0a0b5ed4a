from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speedwell.report.facts import fact_list


def test_nested_facts_become_terms_with_units_by_their_names():
    facts = fact_list(
        {
            "size_bytes": 90_900_000,
            "memory_bytes": 24 * 2**30,
            "budget_seconds": 600,
            "signed": True,
            "data": {"n": 15000, "loss_share": 0.031},
            "classes": list("abcdefghijklmnop"),
            "none": None,
        }
    )
    assert facts == [
        ("size", "90.9 MB"), ("memory", "24 GB"), ("budget", "10 min"), ("signed", "yes"), ("data, n", "15,000"),
        ("data, loss share", "3.1 %"), ("classes", "a, b, c, d, e, f, g, h, i, j, k, l and 4 more")]  # fmt: skip


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**60) | st.floats(0, 1e12) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_any_json_can_be_shown(value):
    for term, text in fact_list(value):
        assert isinstance(term, str)
        assert text
        assert "\x1b" not in term + text
