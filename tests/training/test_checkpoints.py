"""Files that are written while the run goes on: what they hold, and what becomes of errors."""

import shutil
import threading

import pytest
import torch

from cavmae_sync.errors import NonFiniteLossError, TrainingError
from cavmae_sync.training import Callbacks, RunFolder
from cavmae_sync.training.checkpoints import Checkpoints
from cavmae_sync.weights import load_model

from .conftest import Bench
from .tiny import tiny_run


@pytest.fixture
def files(bench: Bench) -> Checkpoints:
    config = tiny_run()
    run = RunFolder.create(bench.folder / "run", config, {})
    return Checkpoints(run, config=config.model, num_frames=4, keep=2)


def test_a_checkpoint_holds_what_was_there_when_it_was_taken(bench: Bench, files: Checkpoints):
    model = bench.begin(tiny_run(), name="other").model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    moment = torch.arange(3.0)
    with files:
        state = {"model": model.state_dict(), "updater": {"states": [{"moment": moment}], "lr": 0.1}}
        files.save(state, step=3)
        files.save_best(model.state_dict())
        with torch.no_grad():
            for value in (*model.state_dict().values(), moment):
                value.fill_(7)
    found = files.run.load_checkpoint()
    assert found["step"] == 3
    assert found["updater"]["lr"] == 0.1
    assert found["updater"]["states"][0]["moment"].tolist() == [0, 1, 2]
    for weights in (found["model"], *map(_weights, (files.run.weights, files.run.best_weights))):
        assert weights.keys() == before.keys()
        assert all(torch.equal(weights[name], value) for name, value in before.items())


def _weights(path):
    return load_model(path).state_dict()


def test_files_are_written_by_another_thread_which_ends_with_the_block(bench: Bench, files: Checkpoints):
    names = []
    model = bench.begin(tiny_run(), name="other").model
    with files:
        files._write_later(lambda _: names.append(threading.current_thread().name), {})
        files.save({"model": model.state_dict()}, step=1)
    assert names[0].startswith("checkpoints")
    assert not any(thread.name.startswith("checkpoints") for thread in threading.enumerate())
    assert len(files.run.checkpoints()) == 1


def test_old_checkpoints_go(bench: Bench, files: Checkpoints):
    state = {"model": bench.begin(tiny_run(), name="other").model.state_dict()}
    with files:
        for step in range(1, 6):
            files.save(state, step=step)
    assert [path.name for path in files.run.checkpoints()] == ["step_00000004.pt", "step_00000005.pt"]


class TestADiskThatFails:
    """The folder of the checkpoints is gone: its files cannot be made."""

    def test_ends_the_run_with_a_message(self, bench: Bench):
        run = bench.begin(tiny_run(), validates=False)
        shutil.rmtree(run.run_folder.path / "checkpoints")
        with pytest.raises(TrainingError, match=r"could not be written to .*run: .*No such file.* --resume"):
            run.run()
        assert not any(thread.name.startswith("checkpoints") for thread in threading.enumerate())

    def test_is_told_beside_another_error(self, bench: Bench):
        def spoil(report):
            if report.step == 3:
                shutil.rmtree(run.run_folder.path / "checkpoints")
                with torch.no_grad():
                    run.model.decoder.mask_token.fill_(float("nan"))

        loop = {"read_every_steps": 7, "log_every_steps": 7, "validate_every_steps": 3}
        run = bench.begin(tiny_run(loop=loop), validates=False, callbacks=Callbacks(on_step=spoil))
        with pytest.raises(NonFiniteLossError) as caught:
            run.run()
        assert "could not be written" in caught.value.__notes__[0]
