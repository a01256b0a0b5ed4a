import torch

from speedwell.workflow.demo_network import build


def test_an_image_gives_ten_scores_at_over_five_million_multiply_adds() -> None:
    network = build().eval()
    work = 0

    def count(module: torch.nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal work
        if isinstance(module, torch.nn.Conv2d):
            work += out[0].numel() * module.weight[0].numel()
        elif isinstance(module, torch.nn.Linear):
            work += module.weight.numel()

    for module in network.modules():
        module.register_forward_hook(count)
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
    assert work >= 5_000_000
    assert build.preprocessing["image"]["colour"] == "gray"  # type: ignore[attr-defined]
