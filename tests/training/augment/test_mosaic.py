import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.inputs.objects import Objects
from speedwell.training.augment.geometry import FILL
from speedwell.training.augment.mosaic import mosaic

HEIGHT, WIDTH = 96, 128
SHADES = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]], np.uint8)


def four(rng):
    """Black pictures, each with a rectangle of its own colour and class."""
    made = []
    for number, shade in enumerate(SHADES):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        x, y = rng.integers(0, WIDTH - 40), rng.integers(0, HEIGHT - 40)
        x2, y2 = x + rng.integers(20, 40), y + rng.integers(20, 40)
        picture[y:y2, x:x2] = shade
        made.append((picture, Objects.of([[x, y, x2, y2]], [number], (HEIGHT, WIDTH), [number == 2])))
    return made


@given(st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_every_object_lies_where_its_colour_is(seed):
    rng = np.random.default_rng(seed)
    picture, objects = mosaic(four(rng), rng, (0.6, 1.5), 0.0)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    for number, shade in enumerate(SHADES.astype(int)):
        # within half of the way from black to the colour, so other colours and the fill do not count
        rows, columns = np.nonzero(np.abs(picture.astype(int) - shade).max(-1) < 127)
        tracked = objects.boxes[objects.classes == number]
        if len(tracked) == 0 or min(tracked[0, 2:] - tracked[0, :2]) < 2:
            continue
        found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert np.abs(found - tracked[0]).max() <= 1.5


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_objects_keep_their_class_and_ignore_and_stay_inside(seed):
    rng = np.random.default_rng(seed)
    _, objects = mosaic(four(rng), rng, (0.5, 2.0), 0.3)
    assert len(set(objects.classes.tolist())) == len(objects) <= 4
    assert (objects.ignore == (objects.classes == 2)).all()
    assert ((objects.boxes >= 0) & (objects.boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT])).all()
    assert objects.window == (0, 0, WIDTH, HEIGHT)


def test_all_four_pictures_are_seen():
    pictures = []
    for shade in SHADES:
        pictures.append((np.tile(shade, (HEIGHT, WIDTH, 1)), Objects.of([], np.zeros(0, int), (HEIGHT, WIDTH))))
    picture, objects = mosaic(pictures, np.random.default_rng(0), (1.0, 1.0), 0.3)
    assert len(objects) == 0
    shown = {tuple(c) for c in picture.reshape(-1, 3)}
    assert shown == {tuple(s) for s in SHADES}
    assert FILL not in picture
