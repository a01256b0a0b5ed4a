from __future__ import annotations

import json

import numpy as np
import pytest

from speedwell import tasks
from speedwell.core.errors import InputMismatchError, UsageError
from speedwell.inputs import ImageTransform, Samples
from speedwell.tasks.image_settings import image_transform, sample_image_options

NCHW = {"x": ("float32", ("batch", 3, 224, 192))}
OPEN = {"pixel_values": ("float32", ())}


def test_the_signature_gives_name_size_layout_and_channels(make_model):
    made = image_transform(make_model(NCHW), {})
    assert (made.input, made.size, made.layout, made.colour) == ("x", (224, 192), "nchw", "rgb")
    made = image_transform(make_model({"in:0": ("float32", ("n", 64, 48, 1))}), {})
    assert (made.input, made.size, made.layout, made.colour) == ("in:0", (64, 48), "nhwc", "gray")
    made = image_transform(make_model({"x": ("uint8", ("n", 64, 48, 3))}), {})
    assert (made.dtype, made.scale) == ("uint8", 1.0)


def test_guesses_are_told_and_known_things_are_not(make_model):
    told = image_transform(make_model(NCHW), {}).assumed
    assert "no mean and std given: pixels are divided by 255 only" in told
    assert any("stretched to 224x192" in word for word in told)
    known = {"mean": [0.5], "std": [0.5], "resize": "shortest"}
    assert image_transform(make_model(NCHW), known).assumed == ()
    assert "--scale 1" in image_transform(make_model(NCHW), {"mean": [127], "resize": "none"}).assumed[0]


def test_the_users_words_come_before_the_models_hints(make_model):
    hints = {"size": [64, 64], "resize": "shortest", "resize_to": 73, "crop": "center", "mean": [0.1] * 3,
             "std": [0.2] * 3, "interpolation": "bicubic", "scale": 0.5}  # fmt: skip
    model = make_model(OPEN, image=hints)
    made = image_transform(model, {})
    assert made == ImageTransform(
        "pixel_values", (64, 64), "shortest", 73, "center", "bicubic", 0.5, (0.1,) * 3, (0.2,) * 3
    )
    assert image_transform(model, {"mean": [0.3, 0.3, 0.3]}).mean == (0.3,) * 3
    assert image_transform(model, {"mean": [0.3, 0.3, 0.3]}).std == ()
    assert image_transform(model, {"size": [32, 32]}).resize == "stretch"
    made = image_transform(model, {"resize": "shortest", "resize_to": 256, "crop": [224, 224]})
    assert (made.size, made.resize_to, made.crop) == ((224, 224), 256, "center")


def test_a_preprocessing_file_holds_settings_or_a_saved_transform(make_model, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"image": {"size": 40, "mean": [0.5, 0.5, 0.5]}}))
    made = image_transform(make_model(OPEN), {"preprocessing": str(path), "colour": "bgr"})
    assert (made.size, made.mean, made.colour) == ((40, 40), (0.5,) * 3, "bgr")
    made.save(tmp_path)
    assert image_transform(make_model(OPEN), {"preprocessing": tmp_path / "transform.json"}) == made
    path.write_text(json.dumps({"sizes": 40}))
    with pytest.raises(UsageError, match=r"\['sizes'\]"):
        image_transform(make_model(OPEN), {"preprocessing": path})
    with pytest.raises(UsageError, match="cannot read"):
        image_transform(make_model(OPEN), {"preprocessing": tmp_path / "none.json"})


def test_an_unknown_size_is_asked_for_or_taken_from_the_samples(make_model, digit_files):
    model = make_model(OPEN, form="torch")
    with pytest.raises(UsageError, match="size that the model takes is not known") as caught:
        image_transform(model, {})
    assert "--size" in caught.value.fix
    assert "build.preprocessing" in caught.value.fix
    samples = Samples([f for f, _ in digit_files].__getitem__, np.zeros(60), ["s"] * 60)
    options = tasks.ImageClassification().sample_options(samples)
    made = image_transform(model, options)
    assert made.size == (28, 28)
    assert "taken from the data" in made.assumed[0]


def test_prepared_arrays_say_their_layout():
    def seen(shape):
        return sample_image_options(Samples(lambda _: np.zeros(shape, np.float32), np.zeros(3), list("abc")))

    assert seen((3, 8, 9)) == {"size": [8, 9], "layout": "nchw", "channels": 3}
    assert seen((8, 9, 1)) == {"size": [8, 9], "layout": "nhwc", "channels": 1}
    assert seen((5,)) == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"size": [64, 64]}, "64x64, the model takes 224x192"),
        ({"colour": "gray"}, "colour gray does not give the 3"),
    ],
)
def test_words_that_contradict_the_model_are_refused(make_model, options, told):
    with pytest.raises(InputMismatchError, match=told):
        image_transform(make_model(NCHW), options)


def test_values_that_cannot_be_are_refused(make_model):
    wrong = [
        ({"mean": ["x"]}, "mean is 'x'"),
        ({"size": [1, 2, 3, 4]}, "size is"),
        ({"resize": "fit"}, "resize is 'fit'"),
        ({"size": [9, 9], "crop": [8, 8]}, "name one"),
    ]
    for options, told in wrong:
        with pytest.raises(UsageError, match=told):
            image_transform(make_model(OPEN, image={"size": 8}), options)


def test_a_model_without_one_image_input_is_refused(make_model):
    with pytest.raises(InputMismatchError, match="no single image input"):
        image_transform(make_model({"v": ("float32", ("n", 7))}), {})
    with pytest.raises(InputMismatchError, match="takes 2 inputs"):
        image_transform(make_model(NCHW | {"v": ("float32", ("n", 7))}), {})
