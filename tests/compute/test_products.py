"""Which precision and which library multiply: float32 stays float32, and no choice asks the clock."""

from typing import get_args

import pytest
import torch
from torch import nn

from cavmae_sync.choices import Precision
from cavmae_sync.compute import (
    amd_family,
    attend,
    check_precision_on,
    choose_float32_products,
    current_float32_products,
    float32_error,
    float32_products_in,
    inference_products_in,
    loss_scaler,
    matrix_products_in,
    product_rate,
)
from cavmae_sync.errors import ConfigError

CPU = torch.device("cpu")
SMALL = (64, 64, 64)


def test_the_chosen_float32_products_are_as_exact_as_float32():
    """float32 keeps 24 bits, bfloat16 8: the error against float64 tells them apart."""
    assert float32_error(CPU, choose_float32_products(CPU)) < 2e-6


LINUX_ZEN_5 = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC"
)
LINUX_XEON = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"


@pytest.mark.parametrize(
    ("processor", "family"),
    [
        (LINUX_ZEN_5, 26),
        (LINUX_XEON, None),
        ("AMD64 Family 26 Model 68 Stepping 0, AuthenticAMD", 26),
        ("AMD64 Family 25 Model 33 Stepping 2, AuthenticAMD", 25),
        ("Intel64 Family 6 Model 151 Stepping 2, GenuineIntel", None),
        ("processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\n", None),
        ("arm", None),
        ("", None),
    ],
)
def test_the_family_of_an_amd_processor_is_read_from_what_the_system_says(processor, family):
    assert amd_family(processor) == family


def test_the_choice_of_float32_products_is_the_same_whatever_the_clock_says(monkeypatch):
    ticks = iter(range(10**9))
    before = choose_float32_products(CPU)
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks) ** 2)
    assert [choose_float32_products(CPU) for _ in range(5)] == [before] * 5
    assert next(ticks) == 0, "the clock was asked"


def test_float32_products_are_put_back():
    before = torch.get_float32_matmul_precision()
    with pytest.raises(RuntimeError), float32_products_in("medium"):
        torch.ones(2).dot(torch.ones(3))
    assert torch.get_float32_matmul_precision() == before
    with float32_products_in("medium"):
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == before


@pytest.fixture
def matmuls():
    """The newer settings of torch, one for each backend; put back after."""
    found = torch.backends.mkldnn.matmul, torch.backends.cuda.matmul
    before = [matmul.fp32_precision for matmul in found]
    yield found
    for matmul, kind in zip(found, before, strict=True):
        matmul.fp32_precision = kind


@pytest.mark.parametrize(("place", "kind", "means"), [(0, "bf16", "medium"), (1, "tf32", "highest")])
def test_a_program_may_use_the_newer_settings_of_torch(matmuls, place, kind, means):
    """After them torch itself does not say what `set_float32_matmul_precision` set."""
    torch.set_float32_matmul_precision("highest")
    matmuls[place].fp32_precision = kind
    with pytest.raises(RuntimeError, match="mix of the legacy and new APIs"):
        torch.get_float32_matmul_precision()
    before = [matmul.fp32_precision for matmul in matmuls]
    assert current_float32_products() == means
    with float32_products_in("medium"):
        assert torch.get_float32_matmul_precision() == "medium"
    assert [matmul.fp32_precision for matmul in matmuls] == before
    assert current_float32_products() == means
    query_BHMD = torch.randn(1, 2, 3, 4)
    expected = nn.functional.scaled_dot_product_attention(query_BHMD, query_BHMD, query_BHMD)
    torch.testing.assert_close(attend(query_BHMD, query_BHMD, query_BHMD), expected)
    torch.set_float32_matmul_precision("highest")


def test_only_the_cpu_has_a_choice_of_float32_products():
    assert choose_float32_products(torch.device("cuda")) == "highest"
    assert choose_float32_products(torch.device("mps")) == "highest"


@pytest.mark.parametrize("precision", get_args(Precision))
def test_every_precision_has_a_rate_here(precision):
    assert 1e6 < product_rate(CPU, precision=precision, shape=SMALL) < 1e16


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_products_are_in_the_precision_and_the_callers_autocast_does_not_leak_in(precision):
    layer = nn.Linear(8, 8)
    with matrix_products_in(precision, CPU):
        assert layer(torch.ones(2, 8)).dtype == getattr(torch, precision)
        with matrix_products_in("float32", CPU):
            assert layer(torch.ones(2, 8)).dtype == torch.float32
        with torch.inference_mode(), inference_products_in("int8", CPU):
            assert layer(torch.ones(20, 8)).dtype == torch.float32
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_device_without_autocast_computes_in_float32_only():
    meta = torch.device("meta")
    with matrix_products_in("float32", meta):
        assert (torch.ones(2, 2, device=meta) @ torch.ones(2, 2, device=meta)).dtype == torch.float32


@pytest.fixture
def old_gpu(monkeypatch):
    """A GPU of capability 7.5, as far as names go."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some GPU")
    return torch.device("cuda")


def test_bfloat16_on_cuda_needs_capability_8(old_gpu):
    check_precision_on("float16", old_gpu)
    check_precision_on("float32", old_gpu)
    with pytest.raises(ConfigError, match=r"Some GPU .*7\.5.* precision=float16"):
        check_precision_on("bfloat16", old_gpu)


@pytest.mark.parametrize(
    ("precision", "scales"), [("float32", False), ("bfloat16", False), ("float16", True)]
)
def test_only_float16_scales_its_loss(precision, scales):
    assert loss_scaler(precision, CPU).is_enabled() == scales
