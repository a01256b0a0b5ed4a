from __future__ import annotations

import warnings

import numpy as np
import onnxruntime
import pytest
import torch

from speedwell.core.errors import UnknownNameError, UsageError
from speedwell.networks import NETWORKS, build_network

CASES = {
    "residual-20": ("residual", {"classes": 10}, (3, 32, 32), 272_474),
    "residual gray": ("residual", {"classes": 3, "channels": 1, "size": [28, 28], "depth": 8}, (1, 28, 28), None),
    "residual large": ("residual", {"classes": 5, "size": [96, 128], "depth": 8}, (3, 96, 128), None),
    "mobile small": ("mobile", {"classes": 10, "size": [32, 32], "multiplier": 0.5}, (3, 32, 32), None),
    "mobile": ("mobile", {"classes": 10, "size": [96, 96], "multiplier": 0.35}, (3, 96, 96), None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_image_networks_answer_and_learn_from_every_parameter(case):
    name, arguments, shape, parameters = CASES[case]
    torch.manual_seed(0)
    network = build_network(name, **arguments)
    assert network.training
    out = network(torch.randn(3, *shape))
    assert out.shape == (3, arguments["classes"])
    out.square().sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())
    if parameters:
        assert sum(p.numel() for p in network.parameters()) == parameters


def test_the_encoder_ignores_padding():
    torch.manual_seed(0)
    network = build_network("encoder", classes=4, vocabulary=50, width=24, heads=4, layers=2).eval()
    ids = torch.randint(0, 50, (2, 6))
    mask = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
    longer = network(torch.cat([ids, ids[:, :3]], 1), torch.cat([mask, torch.zeros(2, 3, dtype=torch.int64)], 1))
    assert torch.allclose(network(ids, mask), longer, atol=1e-5)
    changed = ids.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 50
    assert torch.allclose(network(ids, mask), network(changed, mask), atol=1e-6)


@pytest.mark.parametrize(
    "case", ["residual gray", "encoder", *(pytest.param(c, marks=pytest.mark.slow) for c in list(CASES)[2:4])]
)
def test_they_export_with_a_batch_of_any_size(case, tmp_path):
    if case == "encoder":
        network = build_network("encoder", classes=4, vocabulary=50, width=24, heads=4, layers=1).eval()
        inputs = {"input_ids": torch.randint(0, 50, (2, 6)), "attention_mask": torch.ones(2, 6, dtype=torch.int64)}
    else:
        name, arguments, shape, _ = CASES[case]
        network, inputs = build_network(name, **arguments).eval(), {"image": torch.randn(2, *shape)}
    path = tmp_path / "n.onnx"
    dynamic = {n: {0: torch.export.Dim("batch")} for n in inputs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter calls what torch deprecates
        torch.onnx.export(network, (), str(path), kwargs=inputs, dynamo=True, dynamic_shapes=dynamic, verbose=False)
    session = onnxruntime.InferenceSession(path)
    several = {n: torch.cat([v, v, v[:1]]) for n, v in inputs.items()}
    with torch.no_grad():
        wanted = network(**several).numpy()
    assert np.abs(session.run(None, {n: v.numpy() for n, v in several.items()})[0] - wanted).max() < 1e-4


def test_a_seed_makes_the_network():
    def weights(seed):
        torch.manual_seed(seed)
        return build_network("residual", classes=3, depth=8, width=4).state_dict()

    a, b, c = weights(1), weights(1), weights(2)
    assert all(torch.equal(a[n], b[n]) for n in a)
    assert not torch.equal(a["head.weight"], c["head.weight"])


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("resnet", {"classes": 3}, "residual, mobile, detector, encoder"),
        ("residual", {"classes": 3, "depth": 21}, "depth is 21"),
        ("residual", {"classes": 0}, "classes 0"),
        ("residual", {"depth": 20}, "classes"),
        ("residual", {"classes": 3, "deepness": 9}, "deepness"),
        ("mobile", {"classes": 3, "multiplier": 99}, "99"),
        ("encoder", {"classes": 3, "vocabulary": 9, "width": 10, "heads": 3}, "3 heads"),
    ],
)
def test_wrong_arguments_are_named(name, arguments, words):
    with pytest.raises((UsageError, UnknownNameError), match=words):
        build_network(name, **arguments)


def test_every_built_in_says_its_task():
    assert {task for task, _ in NETWORKS.values()} == {
        "image-classification", "object-detection", "text-classification",
    }  # fmt: skip
