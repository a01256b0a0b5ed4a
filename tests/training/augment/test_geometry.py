import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedwell.inputs.objects import Objects
from speedwell.training.augment.geometry import FILL, flip, paste, rescale

HEIGHT, WIDTH = 96, 128


def painted(box, window=(0, 0, WIDTH, HEIGHT)):
    """A black picture in a grey frame with one white rectangle, and the object that it is."""
    picture = np.full((HEIGHT, WIDTH, 3), FILL, np.uint8)
    picture[window[1] : window[3], window[0] : window[2]] = 0
    picture[box[1] : box[3], box[0] : box[2]] = 255
    objects = Objects.of([box], [3], (480, 640), window=tuple(map(float, window)))
    return picture, objects


def seen(picture):
    """The white pixels' box, None without any."""
    rows, columns = np.nonzero(picture[:, :, 0] > 128)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


@st.composite
def painting(draw):
    window = (draw(st.integers(0, 20)), draw(st.integers(0, 20)), WIDTH - draw(st.integers(0, 20)), HEIGHT - 3)
    x, y = draw(st.integers(window[0], window[2] - 8)), draw(st.integers(window[1], window[3] - 8))
    box = (x, y, draw(st.integers(x + 6, window[2])), draw(st.integers(y + 6, window[3])))
    return painted(box, window)


@given(painting(), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_the_box_in_the_pixels_is_the_box_that_is_tracked(painting, seed):
    rng = np.random.default_rng(seed)
    picture, objects = rescale(*painting, rng, (0.6, 1.8), 0.3, 0.0)
    if rng.random() < 0.5:
        picture, objects = flip(picture, objects)
    if len(objects) == 0:
        found = seen(picture)
        assert found is None or min(found[2] - found[0], found[3] - found[1]) <= 2
        return
    if min(objects.boxes[0, 2:] - objects.boxes[0, :2]) < 2:
        return  # less than the tolerance is left
    assert np.abs(np.array(seen(picture)) - objects.boxes[0]).max() <= 1.5
    assert objects.classes.tolist() == [3]


@given(painting())
@settings(max_examples=50, deadline=None)
def test_flipping_twice_gives_back_the_picture_and_its_objects(painting):
    picture, objects = flip(*flip(*painting))
    assert np.array_equal(picture, painting[0])
    assert np.array_equal(objects.boxes, painting[1].boxes)
    assert objects.window == painting[1].window


@given(painting(), st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_outside_the_window_is_fill_and_no_box_leaves_it(painting, seed):
    picture, objects = rescale(*painting, np.random.default_rng(seed), (0.4, 2.0), 0.5, 0.0)
    x1, y1, x2, y2 = map(int, objects.window)
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[y1:y2, x1:x2] = False
    assert (picture[outside] == FILL).all()
    assert 0 <= x1 < x2 <= WIDTH
    assert 0 <= y1 < y2 <= HEIGHT
    low, high = np.array([x1, y1, x1, y1]), np.array([x2, y2, x2, y2])
    assert ((objects.boxes >= low) & (objects.boxes <= high)).all()
    assert objects.size == (480, 640)


def test_an_object_that_is_mostly_cut_off_is_dropped():
    picture, objects = painted((0, 40, 40, 60))
    for left, kept in ((-15, 1), (-25, 1), (-30, 0), (-39, 0)):  # 62, 38, 25 and 2 % are left
        canvas = np.full_like(picture, FILL)
        place = (left, 0, left + WIDTH, HEIGHT)
        assert len(paste(canvas, picture, objects, place, (0, 0, WIDTH, HEIGHT), 0.3)) == kept, left


def test_a_picture_in_its_own_place_stays_bit_for_bit():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    objects = Objects.of([[3.5, 4.25, 20.0, 30.75]], [0], (HEIGHT, WIDTH))
    same, still = rescale(picture, objects, rng, (1.0, 1.0), 0.0, 0.0)
    assert np.array_equal(same, picture)
    assert still.boxes == pytest.approx(objects.boxes, abs=1e-4)


def test_what_is_given_is_not_written_to():
    picture, objects = painted((10, 10, 30, 40))
    picture.flags.writeable = False
    objects.boxes.flags.writeable = False
    rescale(*flip(picture, objects), np.random.default_rng(0), (0.5, 2.0), 0.2, 0.3)


def test_sizes_are_drawn_between_their_bounds_and_as_often_below_as_above_one():
    picture, objects = painted((54, 38, 74, 58))
    rng = np.random.default_rng(0)
    sides = np.array(
        [np.ptp(rescale(picture, objects, rng, (0.5, 2.0), 0.0, 0.0)[1].boxes[0, ::2]) for _ in range(300)]
    )
    assert 10 - 0.5 <= sides.min() < 11.5
    assert 36 < sides.max() <= 40 + 0.5
    assert 0.4 < (sides < 20).mean() < 0.6
