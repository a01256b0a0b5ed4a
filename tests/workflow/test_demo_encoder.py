import torch

from speedwell.workflow.demo_encoder import Classifier, files


class Encoder(torch.nn.Module):
    """Hidden states that are the token ids, 384 wide."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
        del attention_mask
        hidden = torch.nn.functional.one_hot(input_ids, 384).float()
        return type("Out", (), {"last_hidden_state": hidden})()


def test_the_packaged_files_are_found() -> None:
    assert (files() / "tokenizer.json").is_file()
    assert (files() / "config.json").is_file()


def test_padding_does_not_change_the_vector_and_its_length_is_one() -> None:
    network = Classifier(Encoder(), 3).eval()
    short = network.embed(torch.tensor([[5, 7]]), torch.tensor([[1, 1]]))
    padded = network.embed(torch.tensor([[5, 7, 9, 9]]), torch.tensor([[1, 1, 0, 0]]))
    torch.testing.assert_close(short, padded)
    torch.testing.assert_close(short.norm(dim=-1), torch.ones(1))
    assert network(torch.tensor([[5, 7]]), torch.tensor([[1, 1]])).shape == (1, 3)
