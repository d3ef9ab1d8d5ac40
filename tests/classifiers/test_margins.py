import torch

from diffex.classifiers.margins import margin, probabilities


def test_margin_is_the_log_odds():
    logits = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    p = probabilities(logits)[:, 3]
    torch.testing.assert_close(margin(logits, 3), torch.log(p / (1 - p)), rtol=1e-4, atol=1e-4)


def test_margin_of_two_classes_is_the_difference_and_does_not_saturate():
    logits = torch.tensor([[0.0, 200.0], [3.0, -1.0]])
    assert margin(logits, 1).tolist() == [200.0, -4.0]


def test_margin_is_differentiable():
    logits = torch.randn(4, 3, requires_grad=True)
    margin(logits, 0).sum().backward()
    assert (logits.grad[:, 0] == 1).all()
