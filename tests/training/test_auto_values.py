"""What a run decides once by measuring stands in its configuration, and compiling changes no result."""

import copy
import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from cavmae_sync.compute import choose_device, computes_bfloat16, current_float32_products
from cavmae_sync.data import PreparedDataset
from cavmae_sync.errors import ConfigError, TrainingError
from cavmae_sync.model import MaskingConfig
from cavmae_sync.model.block import Block, compile_blocks
from cavmae_sync.recipes import continue_pretraining, run_pretraining
from cavmae_sync.training import (
    Callbacks,
    PretrainConfig,
    RunFolder,
    describe_arithmetic,
    is_resolved_from,
    resolve_auto,
    resolve_by_device,
    training_products_in,
)
from cavmae_sync.training.compiling import compiled_step

from .tiny import tiny_run

#: Of torch's own making, in its compiler.
compiles = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

CPU = torch.device("cpu")


def test_what_is_decided_is_never_auto_and_the_rest_stays():
    autos = dict.fromkeys(("precision", "float32_products", "compile", "read_every_steps"), "auto")
    config = tiny_run(loop=autos)
    resolved, facts = resolve_auto(config, choose_device("cpu"))
    loop = resolved.loop
    assert loop.float32_products in ("highest", "medium")
    assert (loop.precision, loop.compile, loop.read_every_steps) == ("float32", "off", 1)
    assert loop.model_copy(update=autos) == config.loop
    assert facts.keys() == autos.keys()
    assert resolve_auto(resolved, CPU) == (resolved, {})
    assert PretrainConfig.model_validate_json(resolved.model_dump_json()) == resolved


def test_a_cuda_device_computes_in_tf32_compiled_and_is_read_now_and_then():
    cuda = torch.device("cuda")
    config = tiny_run(loop={"float32_products": "auto", "precision": "bfloat16"})
    resolved, _ = resolve_by_device(config, cuda)
    loop = resolved.loop
    assert (loop.float32_products, loop.compile, loop.read_every_steps) == ("high", "measure", 10)
    assert [computes_bfloat16(kind) for kind in ((7, 5), (8, 0), (9, 0))] == [False, True, True]
    assert describe_arithmetic(resolved, cuda) == (
        "cuda: precision bfloat16, float32 products high, not compiled, losses read every 10 steps. "
        "Plain float32: loop.precision=float32 loop.float32_products=highest"
    )


def test_words_give_plain_float32_back():
    words = ["loop.precision=float32", "loop.float32_products=highest", "loop.read_every_steps=1"]
    asked = PretrainConfig().with_overrides([*words, "loop.compile=off"])
    for device in (CPU, torch.device("cuda")):
        assert resolve_auto(asked, device) == (asked, {})
        assert "Plain float32:" not in describe_arithmetic(asked, device)


def test_tf32_is_permission_to_round_which_only_cuda_has():
    with training_products_in("high", CPU):
        assert torch.get_float32_matmul_precision() == "highest"
    with training_products_in("high", torch.device("cuda")):
        assert torch.get_float32_matmul_precision() == "high"
        assert current_float32_products() == "highest", "what is embedded meanwhile is float32"


def test_a_run_of_an_older_version_keeps_its_values():
    config = tiny_run(loop={"precision": "float16", "compile": "off"})
    stored = json.loads(config.model_dump_json())
    del stored["loop"]["read_every_steps"], stored["loop"]["gradient_sync"]
    read = PretrainConfig.model_validate(stored)
    resolved, _ = resolve_by_device(read, torch.device("cuda"))
    assert (resolved.loop.precision, resolved.loop.compile) == ("float16", "off")
    assert (resolved.loop.float32_products, resolved.loop.gradient_sync) == ("highest", "float32")


def test_a_run_says_how_it_computes_before_its_first_step(prepared: PreparedDataset, tmp_path: Path):
    said: list[object] = []
    callbacks = Callbacks(on_start=said.append, on_step=lambda report: said.append(report.step))
    config = tiny_run(loop={"num_steps": 2})
    run = run_pretraining(
        config, data=prepared.folder, out=tmp_path / "run", device="cpu", callbacks=callbacks
    ).run
    line = "cpu: precision float32, float32 products highest, not compiled, losses read each step"
    assert said == [line, 1, 2]
    assert run.config().loop.precision == "float32"
    assert run.environment()["precision"] == "on cpu, half precision is on request only"


def test_what_was_decided_agrees_with_auto_and_with_nothing_else():
    asked = tiny_run(loop={"float32_products": "auto", "compile": "off"})
    found = asked.model_copy(update={"loop": asked.loop.model_copy(update={"float32_products": "medium"})})
    assert is_resolved_from(found, asked)
    assert not is_resolved_from(found.model_copy(update={"seed": 5}), asked)
    assert not is_resolved_from(found, tiny_run(loop={"float32_products": "highest", "compile": "off"}))


def test_a_run_writes_down_what_it_decided_and_puts_the_process_back(
    prepared: PreparedDataset, tmp_path: Path
):
    before = torch.get_float32_matmul_precision()
    config = tiny_run(loop={"num_steps": 2, "float32_products": "medium"})
    run = run_pretraining(config, data=prepared.folder, out=tmp_path / "run", device="cpu").run
    assert run.config().loop.float32_products == "medium"
    assert torch.get_float32_matmul_precision() == before
    assert continue_pretraining(tmp_path / "run", device="cpu").is_complete


def test_a_run_goes_on_with_the_weights_of_clips_that_it_began_with(
    prepared: PreparedDataset, tmp_path: Path
):
    weights = tmp_path / "weights.csv"
    weights.write_text("\n".join(["1"] * len(prepared)))
    config = tiny_run(loop={"num_steps": 2, "weights_file": str(weights)})
    run_pretraining(config, data=prepared.folder, out=tmp_path / "run", device="cpu")
    assert continue_pretraining(tmp_path / "run", device="cpu").is_complete
    weights.write_text("\n".join(["2"] * len(prepared)))
    with pytest.raises(TrainingError, match=r"weights\.csv holds other weights than the run began with"):
        continue_pretraining(tmp_path / "run", device="cpu")


def test_without_a_compiler_a_run_does_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.warns(UserWarning, match=r"no C\+\+ compiler.* set loop\.compile=off"):
        resolved, facts = resolve_auto(tiny_run(loop={"compile": "measure"}), CPU)
    assert resolved.loop.compile == "off"
    assert facts["compile"] == "there is no C++ compiler"


def test_without_a_compiler_a_run_that_must_be_compiled_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"no C\+\+ compiler\. Install g\+\+"):
        resolve_auto(tiny_run(loop={"compile": "on"}), CPU)
    resolve_auto(tiny_run(loop={"compile": "off"}), CPU)


@pytest.mark.slow
@compiles
def test_a_compiler_that_fails_is_named_and_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    torch.compiler.reset()
    with pytest.warns(UserWarning, match=r"torch\.compile fails here"):
        resolved, facts = resolve_auto(tiny_run(loop={"compile": "measure"}), CPU)
    assert resolved.loop.compile == "off"
    assert "torch.compile failed" in str(facts["compile"])


def test_masks_of_changing_size_are_not_compiled():
    masking = MaskingConfig(ratio_range=(0.2, 0.6))
    resolved, _ = resolve_auto(tiny_run(masking=masking, loop={"compile": "measure"}), CPU)
    assert resolved.loop.compile == "off"
    with pytest.raises(ValidationError, match=r"Set loop\.compile=off"):
        tiny_run(masking=masking, loop={"compile": "on"})


@pytest.mark.slow
@compiles
def test_compiled_blocks_give_the_results_and_gradients_of_plain_ones():
    torch.compiler.reset()
    plain = Block(16, heads=2, mlp_ratio=2, uses=("shared", "audio"))
    compiled = copy.deepcopy(plain)
    compile_blocks(compiled)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    tokens, asked = torch.randn(2, 5, 16, requires_grad=True), torch.tensor([[1, 4], [0, 2]])
    for options in ({}, {"use": "audio"}, {"query_index_BM": asked}):
        found = []
        for block in (plain, compiled, copy.deepcopy(compiled)):
            block.zero_grad()
            block(tokens, **options).square().sum().backward()
            found.append([p.grad for p in block.parameters()])
        for others in found[1:]:
            for one, other in zip(found[0], others, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert torch.equal(plain(tokens), compiled(tokens)), "without gradients nothing is compiled"


@pytest.mark.slow
@compiles
def test_a_compiled_step_of_noise_has_the_losses_of_a_plain_one():
    torch.compiler.reset()
    config = tiny_run(loop={"precision": "float32"})
    torch.manual_seed(0)
    compiled = compiled_step(config, CPU, num_pairs=4)
    torch.manual_seed(0)
    with torch.compiler.set_stance("force_eager"):
        plain = compiled_step(config, CPU, num_pairs=4)
    assert compiled.isfinite().all()
    torch.testing.assert_close(compiled, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@compiles
def test_a_compiled_run_resumes_bit_for_bit(prepared: PreparedDataset, tmp_path: Path):
    torch.compiler.reset()
    config = tiny_run(loop={"compile": "on", "num_steps": 4, "checkpoint_activations": True})
    data = prepared.folder
    whole = run_pretraining(config, data=data, out=tmp_path / "whole", device="cpu").run
    reports = []
    callbacks = Callbacks(on_step=reports.append, should_stop=lambda: len(reports) == 2)
    assert not run_pretraining(
        config, data=data, out=tmp_path / "parts", device="cpu", callbacks=callbacks
    ).is_complete
    parts = continue_pretraining(tmp_path / "parts", device="cpu").run
    assert whole.weights.read_bytes() == parts.weights.read_bytes()
    assert RunFolder(tmp_path / "parts").config().loop.compile == "on"
