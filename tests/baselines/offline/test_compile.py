"""Compiled gradient steps: they are the plain ones, of few graphs that end where they are meant to."""

import functools
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch._dynamo import config
from torch._dynamo.utils import counters

from tests.baselines.offline.conftest import FIRST, SECOND
from tests.baselines.offline.test_scripts import SCRIPTS, args_of
from transreward_baselines import awr, iql, td3_bc
from transreward_baselines.run_directory import checkpoints
from transreward_wrappers.storage import load_tensors


@pytest.mark.parametrize(
    "script",
    [script if script in (td3_bc, iql, awr) else pytest.param(script, marks=pytest.mark.slow) for script in SCRIPTS],
)
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # which PyTorch hides where warnings are shown
def test_a_compiled_step_is_the_step(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = functools.partial(torch.compile, backend="aot_eager")  # traced as ever; needs no compiler of C++
    monkeypatch.setattr(torch, "compile", compiler)
    torch.compiler.reset()
    counters.clear()
    graphs, told = [], []
    for name, compiled in {"plain": False, "compiled": True}.items():
        args = args_of(script, data=(FIRST, SECOND), out=tmp_path / name, compile=compiled)
        with config.patch(fail_on_recompile_limit_hit=True):
            script.main(args)
        graphs.append(counters["stats"]["unique_graphs"])
        told.append(load_tensors(checkpoints(tmp_path / name)[-1] / "agent.safetensors")[0])
    assert graphs[0] == 0 < graphs[1]
    assert all("torch.compiler.disable" in reason for reason in counters["graph_break"]), "graphs end where they are to"
    assert told[0].keys() == told[1].keys()
    for name, tensor in told[0].items():
        torch.testing.assert_close(told[1][name], tensor, rtol=1e-4, atol=1e-5)
