from hypothesis import given
from hypothesis import strategies as st

from speedwell.measure.holm import fixed_sequence, holm_holds

P = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def test_the_steps_of_the_paper():
    assert holm_holds([0.01, 0.04, 0.03, 0.005]) == (True, False, False, True)
    assert holm_holds([0.05]) == (True,)
    assert holm_holds([]) == ()


@given(P)
def test_at_least_bonferroni_and_at_most_unadjusted(p_values):
    for p, holds in zip(p_values, holm_holds(p_values), strict=True):
        assert holds or p > 0.05 / len(p_values)
        assert not holds or p <= 0.05


@given(P, st.randoms())
def test_the_order_does_not_matter(p_values, random):
    order = list(range(len(p_values)))
    random.shuffle(order)
    held = holm_holds(p_values)
    again = holm_holds([p_values[i] for i in order])
    assert sorted(zip(p_values, held, strict=True)) == sorted(zip([p_values[i] for i in order], again, strict=True))


@given(st.lists(st.booleans()))
def test_a_fixed_sequence_stops_at_the_first_failure(claims):
    held = fixed_sequence(claims)
    first = claims.index(False) if False in claims else len(claims)
    assert held == tuple(i < first for i in range(len(claims)))
