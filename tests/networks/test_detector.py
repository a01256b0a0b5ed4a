import numpy as np
import pytest
import torch
from torch import nn

from speedwell.core.errors import UsageError
from speedwell.networks.detector import Detector, detector
from speedwell.networks.grid import Grid
from speedwell.passes import ToOnnx
from speedwell.testing.pass_models import Network
from speedwell.testing.passes import case_of

SMALL = {"classes": 4, "size": (64, 96), "width": 0.25}


def pictures(batch, size=(64, 96), seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((batch, 3, *size), np.float32))


def trained_a_little(network):
    """BatchNorm statistics and weights that are not those of the first moment."""
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    for seed in range(3):
        outputs = network(pictures(4, seed=seed))
        optimizer.zero_grad()
        (outputs["boxes"].square().mean() + outputs["scores"].square().mean()).backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return trained_a_little(detector(**SMALL))


def test_full_width_stays_below_one_and_a_half_million_parameters():
    assert sum(p.numel() for p in detector(80, 320).parameters()) < 1_500_000


@pytest.mark.parametrize("strides", [(8, 16, 32), (4, 8, 16), (8, 16), (16,)])
def test_there_is_an_answer_for_every_cell_of_the_grid(strides):
    network = detector(4, (64, 96), 0.25, strides).eval()
    outputs = network(pictures(2))
    cells = len(Grid.of((64, 96), strides).strides)
    assert cells == sum((64 // s) * (96 // s) for s in strides)
    assert outputs["boxes"].shape == (2, cells, 4)
    assert outputs["scores"].shape == (2, cells, 4)
    assert outputs["boxes"].min() >= 0


def test_answers_lie_where_the_grid_says(small):
    """A change in one corner of the picture moves the answers of cells near it most."""
    image = pictures(1)
    other = image.clone()
    other[:, :, :16, 80:] += 3.0
    with torch.no_grad():
        moved = (small(other)["scores"] - small(image)["scores"]).abs().sum(-1)[0]
    grid = Grid.of((64, 96), (8, 16, 32))
    for stride in (8, 16):
        level = grid.strides == stride
        x, y = grid.centres[level][moved[level].argmax()]
        assert x >= 64
        assert y <= 32


def test_grid_boxes_are_distances_from_the_centres_in_strides():
    grid = Grid.of((32, 64), (8, 16))
    assert grid.centres[0].tolist() == [4, 4]
    assert grid.centres[1].tolist() == [12, 4]
    assert grid.centres[8].tolist() == [4, 12]
    assert grid.centres[32].tolist() == [8, 8]
    boxes = grid.boxes(torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 40, 4))
    assert boxes[0, 33].tolist() == [24 - 16, 8 - 32, 24 + 48, 8 + 64]


def test_fresh_scores_are_the_prior_and_fresh_boxes_have_a_size():
    torch.manual_seed(1)
    outputs = detector(**SMALL)(pictures(4))
    assert outputs["scores"].sigmoid().mean().item() == pytest.approx(0.01, abs=0.003)
    assert (outputs["boxes"] > 0).all()


def test_the_same_seed_gives_the_same_network():
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(detector(**SMALL).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    torch.manual_seed(8)
    other = detector(**SMALL).state_dict()
    assert any(not torch.equal(states[0][name], other[name]) for name in other)


def test_one_image_is_answered_the_same_alone_and_in_a_batch(small):
    images = pictures(3)
    with torch.no_grad():
        together, alone = small(images), small(images[1:2])
    for name in together:
        torch.testing.assert_close(together[name][1:2], alone[name], rtol=1e-4, atol=1e-4)


def test_torch_export_takes_any_batch(small):
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(small, (pictures(2),), dynamic_shapes={"image": {0: batch}})
    images = pictures(5, seed=3)
    with torch.no_grad():
        expected, given = small(images), program.module()(images)
    assert set(given) == {"boxes", "scores"}
    for name in expected:
        torch.testing.assert_close(given[name], expected[name], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_onnx_file_answers_as_the_network_does(tmp_path):
    torch.manual_seed(0)
    network = Network(
        "detector",
        lambda: trained_a_little(detector(**SMALL)),
        lambda batch, _, seed: {"image": pictures(batch, seed=seed).numpy()},
    )
    case = case_of(ToOnnx(), network, tmp_path)
    import onnx

    graph = onnx.load(case.after.payload).graph
    assert {o.name for o in graph.output} == {"boxes", "scores"}
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param
    # control flow and data-dependent shapes are what compilers and quantizers stop at
    assert not {n.op_type for n in graph.node} & {"If", "Loop", "Scan", "NonZero", "Where", "TopK"}
    assert "BatchNormalization" not in {n.op_type for n in graph.node}


def test_every_convolution_but_the_last_can_take_in_its_norm(small):
    followed = 0
    for module in small.modules():
        children = list(module.children())
        followed += sum(isinstance(c, nn.Conv2d) and c.bias is None for c in children)
        followed -= sum(isinstance(c, nn.BatchNorm2d) for c in children)
    assert followed == 0


def test_it_says_how_it_is_fed_and_read():
    network = detector(3, [64, 96])
    assert network.preprocessing["image"]["size"] == [64, 96]
    assert network.detection == {"style": "grid", "strides": [8, 16, 32], "size": [64, 96]}
    assert isinstance(network, Detector)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": (64, 90)}, "Use 64x96"),
        ({"size": 16}, "Use 32x32"),
        ({"size": (64,)}, "height, width"),
        ({"size": 64.0}, "height, width"),
        ({"classes": 0}, "at least 1 class"),
        ({"width": 9}, "0.25 to 4"),
        ({"strides": (8, 32)}, "neighbours"),
        ({"strides": ()}, "neighbours"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_fix(arguments, words):
    with pytest.raises(UsageError, match=words):
        detector(**{**SMALL, **arguments})
