from __future__ import annotations

import dataclasses
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedwell.core.errors import DataNotFoundError, SpeedwellError, UsageError
from speedwell.core.record import content_hash, encode
from speedwell.training.recipe import Augment, Distil, Loss, Optimizer, Recipe, Stop
from speedwell.training.recipe_file import merged, read_recipe, write_recipe

recipes = st.builds(
    Recipe,
    loss=st.builds(
        Loss,
        name=st.sampled_from(["auto", "cross-entropy", "focal"]),
        smoothing=st.floats(0, 0.9),
        distil=st.none() | st.builds(Distil, weight=st.floats(0, 1), temperature=st.floats(0.1, 10)),
    ),
    optimizer=st.builds(Optimizer, name=st.sampled_from(["sgd", "adamw", "muon"]), lr=st.floats(0, 1)),
    augment=st.builds(Augment, flip=st.booleans(), crop=st.integers(0, 9)),
    stop=st.builds(Stop, epochs=st.floats(0.1, 100), patience=st.integers(0, 9)),
    batch=st.integers(1, 4096),
    freeze=st.lists(st.text("abc.", min_size=1), max_size=3).map(tuple),
    seed=st.integers(0, 1 << 40),
)


@given(recipes)
def test_a_recipe_survives_its_toml_file(recipe):
    again = merged(Recipe(), tomllib.loads(write_recipe(encode(recipe))))
    assert again == recipe
    assert content_hash(again) == content_hash(recipe)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"optimiser": {"lr": 1.0}}, "optimiser"),
        ({"optimizer": {"learning_rate": 1.0}}, "optimizer.learning_rate"),
        ({"optimizer": {"name": "lion"}}, "sgd, adamw, muon"),
        ({"optimizer": {"lr": "fast"}}, "'fast'"),
        ({"optimizer": {"lr": float("nan")}}, "nan"),
        ({"optimizer": 3}, "optimizer"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": 2.5}, "2.5"),
        ({"batch": True}, "True"),
        ({"accumulation": 65}, "accumulation is 65"),
        ({"loss": {"smoothing": 1.0}}, "smoothing"),
        ({"loss": {"distil": {"temperature": 0.0}}}, "temperature"),
        ({"loss": {"distil": {"features": 1.0}}}, "layers"),
        ({"augment": {"scale": [1.0]}}, "right length"),
        ({"augment": {"scale": [2.0, 1.0]}}, "lowest"),
        ({"stop": {"epochs": 0.0}}, "when to stop"),
        ({"stop": {"epochs": -1.0}}, "stop.epochs"),
        ({"stop": {"epochs": {"a": 1}}}, "table"),
        ({"ema": 1.0}, "below 1"),
        ({"precision": "float16"}, "float32, bfloat16"),
        ({"freeze": "head"}, "list"),
    ],
)
def test_a_wrong_word_or_value_is_named(tables, words):
    with pytest.raises(UsageError, match=words):
        merged(Recipe(), tables)


def test_tables_change_only_what_they_say():
    base = Recipe(optimizer=Optimizer("sgd", lr=0.1), batch=128)
    changed = merged(base, {"optimizer": {"lr": 1}, "loss": {"distil": {"weight": 0.5}}})
    assert changed.optimizer == dataclasses.replace(base.optimizer, lr=1.0)
    assert changed.batch == 128
    assert changed.loss.distil == Distil(weight=0.5)


def test_a_recipe_file_that_is_none_is_a_typed_error(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"nothing\.toml"):
        read_recipe(tmp_path / "nothing.toml")
    for number, text in enumerate(("batch = ", "\x00", "[a\n")):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        with pytest.raises(UsageError, match=path.name):
            read_recipe(path)
    (tmp_path / "latin.toml").write_bytes(b'network = "\xe9"')
    with pytest.raises(SpeedwellError, match="latin"):
        read_recipe(tmp_path / "latin.toml")
