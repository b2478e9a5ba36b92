"""What training holds data and runs to: data of its own robot, and runs that diverge without the others."""

import dataclasses
import json
import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.baselines.offline.conftest import FIRST, write_dataset
from tests.baselines.offline.test_scripts import args_of, timeless
from transreward_baselines import awr, td3_bc
from transreward_baselines.offline import evaluation
from transreward_envs import get_pair


def test_data_of_another_pair_is_refused(tmp_path: Path, datasets: Path) -> None:
    name = "tests/own-v0"
    write_dataset(datasets, name, about={"pair": get_pair("InvertedPendulum-mass-2.0").to_json(), "domain": "target"})
    with pytest.raises(
        ValueError, match=r"of one of .* domains; tests/own-v0 is of the target of InvertedPendulum-mass-2.0"
    ):
        awr.main(args_of(awr, data=(f"{FIRST}+{name}",), out=tmp_path / "run"))
    plain = {"pair": get_pair("InvertedPendulum-mass-2.0").to_json(), "domain": "source"}
    write_dataset(datasets, "tests/plain-v0", about=plain)
    awr.main(args_of(awr, data=("tests/plain-v0",), out=tmp_path / "run", updates=1))  # the plain robot is theirs too


def test_data_of_another_robot_is_refused_though_they_do_not_say_whose_they_are(tmp_path: Path, datasets: Path) -> None:
    write_dataset(datasets, "tests/wide-v0", size=5)
    with pytest.raises(
        ValueError, match=r"of InvertedPendulum, .* have \(4, 1\) numbers; those of tests/wide-v0, .* have \(5, 1\)"
    ):
        awr.main(args_of(awr, data=("tests/wide-v0",), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists(), "what cannot be run takes no directory"
    reacher = {"pair": get_pair("Reacher-mass-2.0").to_json(), "domain": "source"}
    write_dataset(datasets, "tests/reacher-v0", about=reacher)
    with pytest.raises(ValueError, match="those of tests/reacher-v0, of Reacher, have"):
        awr.main(args_of(awr, data=("tests/reacher-v0",), out=tmp_path / "run"))
    metadata = datasets / FIRST / "data" / "metadata.json"
    for spec, refused in (("Reacher-v5", True), ("InvertedPendulum-v4", False), ("Somebody/Else-v0", False)):
        metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "env_spec": json.dumps({"id": spec})}))
        with pytest.raises(ValueError, match="those of .*first-v0, of Reacher") if refused else nullcontext():
            awr.main(args_of(awr, out=tmp_path / "run", updates=1))


@pytest.mark.parametrize("finetune_steps", [0, 5])
def test_a_run_that_diverges_is_told_and_costs_the_others_nothing(
    finetune_steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = args_of(td3_bc, seeds=(3, 4), out=tmp_path / "sound", finetune_steps=finetune_steps)
    sound = td3_bc.main(args)
    update = td3_bc.TD3BC.update

    def diverging(self: Any, batch: Any, step: int) -> Any:
        if step == 15:
            with torch.no_grad():
                self.networks["actor"].weights[0][1] = math.nan
        return update(self, batch, step)

    monkeypatch.setattr(td3_bc.TD3BC, "update", diverging)
    with pytest.warns(UserWarning, match="run of seed 4 on .*first-v0 has diverged: after 20 gradient steps") as told:
        rows = td3_bc.main(dataclasses.replace(args, out=tmp_path / "lost"))
    assert len(told) == 1
    assert [row.seed for row in rows if math.isnan(row.return_mean)] == [4] * (2 if finetune_steps else 1)
    assert [row for row in timeless(rows) if row.seed == 3] == [row for row in timeless(sound) if row.seed == 3]
    assert td3_bc.main(dataclasses.replace(args, out=tmp_path / "lost"))[-1].seed == 4


def test_evaluations_take_no_more_threads_than_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, threads = evaluation.make_lanes, []
    monkeypatch.setattr(
        evaluation, "make_lanes", lambda *args, **more: threads.append(more["threads"]) or make(*args, **more)
    )
    awr.main(args_of(awr, out=tmp_path / "run"))
    assert threads == [1, 1]
