"""How float32 products are computed: float32 stays float32, and no choice asks the clock."""

import pytest
import torch
from torch import nn

from cavmae_sync.compute import (
    amd_family,
    attend,
    choose_float32_products,
    current_float32_products,
    float32_error,
    float32_products_in,
    parse_float32_products,
    resolve_float32_products,
)

CPU = torch.device("cpu")


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


def test_a_choice_is_resolved_by_processor_by_process_or_not_at_all():
    assert resolve_float32_products("auto", CPU) == choose_float32_products(CPU)
    with float32_products_in("medium"):
        assert resolve_float32_products(None, CPU) == "medium"
        assert resolve_float32_products("highest", CPU) == "highest"


def test_only_known_ways_are_parsed():
    assert [parse_float32_products(text) for text in ("medium", "high", None)] == ["medium", None, None]
