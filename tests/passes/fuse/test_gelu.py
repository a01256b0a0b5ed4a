from __future__ import annotations

import numpy as np
import pytest

from speedwell.passes.fuse.gelu import rewrite

HEAD = "g (float[N,16] x) => (float[N,16] y) {"
CONSTANTS = {
    "root": np.float32(2**0.5), "inverse": np.float32(0.5**0.5), "one": np.float32(1), "half": np.float32(0.5),
    "two": np.float32(2), "three": np.float32(3), "small": np.float32(0.044715),
    "outer": np.float32((2 / np.pi) ** 0.5),
}  # fmt: skip
ARGUMENTS = ["a = Div (x, root)", "a = Mul (inverse, x)"]
PRODUCTS = [
    "p = Mul (x, t) y = Mul (p, half)",
    "p = Mul (half, t) y = Mul (x, p)",
    "h = Mul (x, half) y = Mul (h, t)",
    "h = Div (x, two) y = Mul (t, h)",
    "p = Mul (t, x) y = Div (p, two)",
]
CUBES = ["c = Pow (x, three)", "q = Mul (x, x) c = Mul (q, x)", "q = Mul (x, x) c = Mul (x, q)"]


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_order_of_the_exact_form_is_found(model_of, rewritten, normal, argument, product):
    proto = model_of(f"{HEAD} {argument} e = Erf (a) t = Add (e, one) {product} }}", **CONSTANTS)
    done = rewritten(rewrite, proto, {"x": normal(40, 16) * 3})
    assert (done.found, done.after, done.attributes["approximate"]) == (1, ["Gelu"], b"none")
    assert done.error < 1e-5


@pytest.mark.parametrize("cube", CUBES)
def test_the_tanh_form_is_found(model_of, rewritten, normal, cube):
    proto = model_of(
        f"""{HEAD} {cube} k = Mul (small, c) s = Add (x, k) a = Mul (s, outer) e = Tanh (a)
            t = Add (one, e) {PRODUCTS[0]} }}""",
        **CONSTANTS,
    )
    done = rewritten(rewrite, proto, {"x": normal(40, 16) * 3})
    assert (done.found, done.after, done.attributes["approximate"]) == (1, ["Gelu"], b"tanh")
    assert done.error < 1e-5


@pytest.mark.parametrize(
    "body",
    ["a = Div (x, two) e = Erf (a) t = Add (e, one) p = Mul (x, t) y = Mul (p, half)",
     "a = Div (x, root) e = Erf (a) t = Add (e, one) p = Mul (x, t) y = Mul (p, two)",
     "a = Div (x, root) e = Erf (a) t = Add (e, half) p = Mul (x, t) y = Mul (p, half)",
     "a = Div (x, root) e = Erf (a) t = Add (e, one) p = Mul (a, t) y = Mul (p, half)"],
    ids=["another divisor", "not halved", "another sum", "another factor"],
)  # fmt: skip
def test_what_only_looks_like_it_stays(model_of, rewritten, normal, body):
    proto = model_of(f"{HEAD} {body} }}", **CONSTANTS)
    assert rewritten(rewrite, proto, {"x": normal(4, 16)}).found == 0


def test_an_operator_set_without_it_stays(model_of, rewritten, normal):
    proto = model_of(f"{HEAD} {ARGUMENTS[0]} e = Erf (a) t = Add (e, one) {PRODUCTS[0]} }}", 19, **CONSTANTS)
    assert rewritten(rewrite, proto, {"x": normal(4, 16)}).found == 0
