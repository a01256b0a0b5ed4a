import numpy as np
import pytest

from speedwell.core.errors import UsageError
from speedwell.inputs.objects import Objects
from speedwell.training.augment.detection import DetectionAugmentation, augment, recolour
from speedwell.training.augment.geometry import FILL

HEIGHT, WIDTH = 96, 128
ALL = DetectionAugmentation(flip=0.5, scale=(0.7, 1.4), shift=0.1, mosaic=0.5, colour=0.5)


def sample(number):
    rng = np.random.default_rng(number)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    low = rng.uniform(0, 50, (3, 2))
    boxes = np.concatenate([low, low + rng.uniform(10, 40, (3, 2))], 1)
    return picture, Objects.of(boxes, [number % 5] * 3, (HEIGHT, WIDTH))


def test_everything_off_changes_nothing():
    picture, objects = augment(4, sample, 10, np.random.default_rng(0), DetectionAugmentation())
    assert np.array_equal(picture, sample(4)[0])
    assert np.array_equal(objects.boxes, sample(4)[1].boxes)


def test_the_same_generator_gives_the_same_sample():
    made = [augment(4, sample, 10, np.random.default_rng(5), ALL) for _ in range(2)]
    assert np.array_equal(made[0][0], made[1][0])
    assert np.array_equal(made[0][1].boxes, made[1][1].boxes)
    other, _ = augment(4, sample, 10, np.random.default_rng(6), ALL)
    assert not np.array_equal(made[0][0], other)


def test_pictures_without_objects_pass_through_everything():
    def empty(number):
        return sample(number)[0], Objects.of([], np.zeros(0, int), (HEIGHT, WIDTH))

    for seed in range(20):
        picture, objects = augment(0, empty, 3, np.random.default_rng(seed), ALL)
        assert picture.shape == (HEIGHT, WIDTH, 3)
        assert picture.dtype == np.uint8
        assert picture.flags.c_contiguous
        assert objects.boxes.shape == (0, 4)


def test_each_part_happens_as_often_as_it_should():
    def one_class_each(number):
        return sample(number)[0], Objects.of([[40, 30, 60, 50]], [number], (HEIGHT, WIDTH))

    rng = np.random.default_rng(0)
    still = one_class_each(1)[0]
    flips = [
        np.array_equal(augment(1, one_class_each, 50, rng, DetectionAugmentation(flip=0.3))[0], still[:, ::-1])
        for _ in range(400)
    ]
    assert 0.2 < np.mean(flips) < 0.4
    options = DetectionAugmentation(mosaic=0.3)
    whole = [np.array_equal(augment(1, one_class_each, 50, rng, options)[0], still) for _ in range(400)]
    assert 0.6 < np.mean(whole) < 0.8


def test_recolouring_stays_in_the_window_and_near_the_picture():
    picture = np.full((HEIGHT, WIDTH, 3), FILL, np.uint8)
    picture[10:80, 20:100] = (180, 120, 90)
    objects = Objects.of([], np.zeros(0, int), (HEIGHT, WIDTH), window=(20.0, 10.0, 100.0, 80.0))
    shades = []
    for seed in range(50):
        changed = recolour(picture, objects, np.random.default_rng(seed), 1.0)
        outside = np.ones((HEIGHT, WIDTH), bool)
        outside[10:80, 20:100] = False
        assert (changed[outside] == FILL).all()
        assert len(np.unique(changed[10:80, 20:100].reshape(-1, 3), axis=0)) == 1
        shades.append(changed[10, 20].astype(float))
    assert np.std(shades, axis=0).min() > 10
    assert np.abs(np.median(shades, axis=0) - (180, 120, 90)).max() < 30


def test_recolouring_of_no_strength_changes_nothing():
    picture, objects = sample(0)
    assert np.abs(recolour(picture, objects, np.random.default_rng(0), 0.0).astype(int) - picture).max() <= 1


@pytest.mark.parametrize(
    "values", [{"flip": 1.5}, {"mosaic": -0.1}, {"colour": float("nan")}, {"scale": (2.0, 1.0)}, {"scale": (0.0, 1.0)}]
)
def test_values_out_of_range_are_refused_by_name(values):
    with pytest.raises(UsageError, match=f"augmentation's {next(iter(values))}"):
        DetectionAugmentation(**values)
