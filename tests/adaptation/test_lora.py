"""The guard around the adapters: laws, and planted faults that it must find."""

from copy import deepcopy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from capnet.adaptation import lora as room
from capnet.adaptation.lora import (
    LSTM_TARGETS,
    LoRA,
    attach,
    check_effect,
    check_gradients,
    check_merged,
    merge,
)
from capnet.errors import AdapterError
from capnet.models.bilstm import BiLSTM
from capnet.models.central import BeatTensors
from tests.fakes.people import bits, same_bits, tiny_model

TINY = LoRA(rank=2, alpha=2.0)


@pytest.fixture
def net():
    return tiny_model().net


@pytest.fixture
def inputs(people):
    return BeatTensors.of(people).inputs


def loss_of(module, inputs):
    return (module(*inputs) - 90).square().mean()


def trained(net, inputs, lora=TINY, *, steps=3):
    torch.manual_seed(0)
    adapted = attach(net, lora)
    free = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(free, lr=1e-4)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(adapted, inputs).backward()
        optimizer.step()
    return adapted


def adapters(adapted, letter):
    return {n: p for n, p in adapted.named_parameters() if f"lora_{letter}" in n}


# Laws ------------------------------------------------------------------------


def test_attaching_leaves_the_base_as_it_was(net, inputs):
    before, free = bits(net), [p.requires_grad for p in net.parameters()]
    attach(net, TINY)
    assert same_bits(bits(net), before)
    assert [p.requires_grad for p in net.parameters()] == free
    assert isinstance(net, BiLSTM)


def test_training_leaves_the_base_as_it_was(net, inputs):
    before = bits(net)
    trained(net, inputs)
    assert same_bits(bits(net), before)


@pytest.mark.parametrize("training", [True, False])
def test_a_new_adapter_changes_nothing(net, inputs, training):
    adapted = attach(net, TINY).train(training)
    assert torch.equal(adapted(*inputs), net.train(training)(*inputs))


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        (LSTM_TARGETS, 5),
        (("hidden.weight",), 1),
        (("lstm.weight_hh_l0",), 1),
        (("lstm.weight_ih_l0", "lstm.weight_ih_l0_reverse"), 2),
        (("lstm.weight_*",), 4),
        (("*",), 6),
        (("hidden.weight", "hidden.*"), 1),
        (("lstm.weight_?h_l0",), 2),
    ],
)
def test_every_target_gets_one_live_adapter(net, inputs, targets, count):
    adapted = attach(net, LoRA(rank=2, alpha=2.0, targets=targets))
    assert len(adapters(adapted, "B")) == len(adapters(adapted, "A")) == count
    loss_of(adapted, inputs).backward()
    for name, parameter in adapters(adapted, "B").items():
        assert parameter.grad.abs().max() > 0, name
    check_gradients(adapted)


def test_only_adapters_learn(net):
    adapted = attach(net, TINY)
    free = {n for n, p in adapted.named_parameters() if p.requires_grad}
    assert free == set(adapters(adapted, "A")) | set(adapters(adapted, "B"))


def test_rank_is_the_width(net):
    for parameter in adapters(attach(net, LoRA(rank=3)), "B").values():
        assert 3 in parameter.shape


def test_one_seed_one_start(net):
    made = []
    for _ in range(2):
        torch.manual_seed(4)
        made.append(bits(attach(net, TINY)))
    assert same_bits(*made)


def test_merging_changes_no_answer_and_not_the_adapted(net, inputs):
    adapted = trained(net, inputs)
    before, answer = bits(adapted), adapted.eval()(*inputs)
    merged = merge(adapted, inputs)
    assert isinstance(merged, BiLSTM)
    assert (merged.eval()(*inputs) - answer).abs().max() <= 1e-3
    assert same_bits(bits(adapted), before)


def test_a_merged_network_is_a_plain_one_that_moved(net, inputs):
    merged = merge(trained(net, inputs), inputs)
    assert {n for n, _ in merged.named_parameters()} == {
        n for n, _ in net.named_parameters()
    }
    assert all(p.requires_grad for p in merged.parameters())
    rebuilt = BiLSTM(**net.config)
    rebuilt.load_state_dict(merged.state_dict())
    assert torch.equal(rebuilt(*inputs), merged(*inputs))
    moved = {
        name
        for name, tensor in merged.state_dict().items()
        if not torch.equal(tensor, net.state_dict()[name])
    }
    assert moved == set(LSTM_TARGETS)


def test_the_update_is_of_the_rank(net, inputs):
    merged = merge(trained(net, inputs), inputs)
    for name in LSTM_TARGETS:
        update = merged.state_dict()[name] - net.state_dict()[name]
        sizes = torch.linalg.svdvals(update.double())
        assert sizes[2] < 1e-4 * sizes[0], name


def test_a_trained_adapter_passes_every_check(net, inputs):
    adapted = trained(net, inputs)
    check_gradients(adapted)
    check_effect(adapted, net, inputs)
    check_merged(merge(adapted, inputs), adapted, inputs)


@pytest.mark.parametrize("training", [True, False])
def test_looking_for_an_effect_leaves_the_mode_as_it_was(net, inputs, training):
    adapted = trained(net, inputs).train(training)
    check_effect(adapted, net, inputs)
    assert adapted.training is training


# Planted faults --------------------------------------------------------------


@pytest.mark.parametrize("target", ["lstm.weight_ih_l1", "q_proj", "hidden", "*.bias"])
def test_a_target_that_matches_nothing(net, target):
    wanted = rf"'{target.replace('*', '[*]')}' matches no weight of BiLSTM; it has lstm"
    with pytest.raises(AdapterError, match=wanted):
        attach(net, LoRA(targets=("hidden.weight", target)))


def test_peft_attaching_fewer_than_asked(net, monkeypatch):
    def forgetful(module, config):
        fewer = LoraConfig(
            r=config.r, target_modules=[], target_parameters=["hidden.weight"]
        )
        return get_peft_model(module, fewer)

    monkeypatch.setattr(room, "get_peft_model", forgetful)
    with pytest.raises(AdapterError, match="1 adapters were attached for 5 weights"):
        attach(net, TINY)


def test_a_network_without_adapter(net, inputs):
    loss_of(net, inputs).backward()
    with pytest.raises(AdapterError, match="has no adapter; attach one"):
        check_gradients(net)


def test_a_frozen_adapter(net, inputs):
    adapted = attach(net, TINY)
    name, parameter = [*adapters(adapted, "B").items()][2]
    parameter.requires_grad_(requires_grad=False)
    loss_of(adapted, inputs).backward()
    with pytest.raises(AdapterError, match=rf"{name}' is frozen"):
        check_gradients(adapted)


def test_adapters_before_the_first_step(net):
    with pytest.raises(AdapterError, match="got no gradient in the first step"):
        check_gradients(attach(net, TINY))


class Idle(nn.Module):
    """A network with a layer that it never calls."""

    def __init__(self):
        super().__init__()
        self.used, self.idle = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.used(x)


@pytest.mark.parametrize("factor", [1.0, 0.0])
def test_an_adapter_that_the_loss_does_not_reach(factor):
    targets = ("used.weight", "idle.weight") if factor else ("used.weight",)
    adapted = attach(Idle(), LoRA(rank=1, targets=targets))
    (factor * adapted(torch.ones(2, 3)).square().sum()).backward()
    culprit = "idle" if factor else "used"
    with pytest.raises(AdapterError, match=f"{culprit}.*got no gradient"):
        check_gradients(adapted)


def test_a_gradient_that_is_no_number(net, inputs):
    adapted = attach(net, TINY)
    (loss_of(adapted, inputs) * float("nan")).backward()
    with pytest.raises(AdapterError, match="not finite in the first step"):
        check_gradients(adapted)


class Bypass(nn.Module):
    """Reads the raw weights in eval, as fused kernels of stock layers do."""

    def __init__(self, adapted, base, error=0.0):
        super().__init__()
        self.adapted, self.base, self.error = adapted, base, error

    def forward(self, *inputs):
        if self.training:
            return self.adapted(*inputs)
        return self.base(*inputs) + self.error


def test_an_adapter_ignored_in_eval(net, inputs):
    broken = Bypass(trained(net, inputs), deepcopy(net))
    with pytest.raises(AdapterError, match="exactly as the base in eval mode"):
        check_effect(broken, net, inputs)


def test_an_adapter_ignored_in_eval_up_to_rounding(net, inputs):
    """Another kernel rounds otherwise, so equality alone would not find it."""
    broken = Bypass(trained(net, inputs), deepcopy(net), error=1e-5)
    with pytest.raises(AdapterError, match=r"eval and train mode .* differ by"):
        check_effect(broken, net, inputs)


def test_an_adapter_that_never_learned(net, inputs):
    with pytest.raises(AdapterError, match="or it never learned"):
        check_effect(attach(net, TINY), net, inputs)


def test_an_answer_that_is_no_number(net, inputs):
    adapted = trained(net, inputs)
    next(iter(adapters(adapted, "B").values())).data.fill_(float("nan"))
    with pytest.raises(AdapterError, match="differ by nan mmHg"):
        check_effect(adapted, net, inputs)
    with pytest.raises(AdapterError, match="differ by nan mmHg"):
        merge(adapted, inputs)


@pytest.mark.parametrize("name", ["hidden.weight", "lstm.weight_hh_l0"])
def test_merged_weights_that_were_tampered_with(net, inputs, name):
    adapted = trained(net, inputs)
    merged = merge(adapted, inputs)
    with torch.no_grad():
        merged.get_parameter(name)[0] += 0.05
    with pytest.raises(AdapterError, match="merged and adapted network differ by"):
        check_merged(merged, adapted, inputs)


def test_adapters_that_were_not_merged(net, inputs):
    adapted = trained(net, inputs)
    with pytest.raises(AdapterError, match="was not merged as it was trained"):
        check_merged(net, adapted, inputs)


def test_the_tolerance_is_the_callers(net, inputs):
    adapted = trained(net, inputs)
    check_merged(net, adapted, inputs, tolerance=1e3)
