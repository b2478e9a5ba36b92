"""Datasets with other rewards, from the command line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.wrappers.test_policies import policy
from transreward_baselines.cli import main as transreward
from transreward_baselines.data import BuildArgs, build
from transreward_wrappers.datasets import load_dataset
from transreward_wrappers.drae.offline import PolicyRatio
from transreward_wrappers.policies import UniformPolicy


def test_the_command_line_relabels_by_dara(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = {"pair": "InvertedPendulum-mass-2.0", "quality": "random", "size": 6_000, "root": tmp_path}
    names = [build(BuildArgs(domain=role, **shared)).metadata["dataset_id"] for role in ("source", "target")]
    transreward(["data", "relabel", *names, "--root", str(tmp_path), "--updates", "20", "--set", "eta=0.5"])
    made = "transreward/InvertedPendulum/InvertedPendulum-mass-2_0/source-random-6000-dara-v0"
    assert made in capsys.readouterr().out
    new = load_dataset(made, tmp_path)
    assert (new.about["compensation"]["settings"]["eta"], new.about["relabelled_from"]) == (0.5, names[0])
    with pytest.raises(SystemExit):
        transreward(["data", "relabel", *names, "--root", str(tmp_path)])
    assert "exists. Delete it, or choose another" in capsys.readouterr().err
    for out in ("../escape-v0", "some/bad.name-v0", "unversioned"):
        with pytest.raises(SystemExit):
            transreward(["data", "relabel", *names, "--root", str(tmp_path), "--out", out])
        assert "A dataset's id is letters, digits" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        transreward(["data", "relabel", *reversed(names), "--root", str(tmp_path), "--out", "swapped-v0"])
    assert "Give the source's data first" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        transreward(["data", "list", "--root", str(tmp_path / "nowhere")])
    assert "There is no folder" in capsys.readouterr().err


def test_the_command_line_relabels_by_drae(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = {"pair": "InvertedPendulum-mass-2.0", "quality": "random", "size": 6_000, "root": tmp_path}
    names = [build(BuildArgs(domain=role, **shared)).metadata["dataset_id"] for role in ("source", "target")]
    here = ["--root", str(tmp_path), "--updates", "5"]
    transreward(["data", "relabel", *names, *here, "--method", "drae", "--set", "kind=slide"])
    made = "transreward/InvertedPendulum/InvertedPendulum-mass-2_0/source-random-6000-drae-v0"
    assert made in capsys.readouterr().out
    new = load_dataset(made, tmp_path)
    assert (new.about["compensation"]["settings"]["kind"], new.about["compensation"]["policy"]) == ("slide", None)
    expert = policy(actions=1)
    expert.save(tmp_path / "expert.safetensors")
    for number, whose in enumerate((str(tmp_path / "expert.safetensors"), "target")):
        transreward(["data", "relabel", *names, *here, "--method", "drae", "--policy", whose, "--out", f"n{number}-v0"])
    digests = [load_dataset(f"n{number}-v0", tmp_path).about["compensation"]["policy"] for number in range(2)]
    assert digests[0] == expert.digest()
    assert digests[1] not in (None, digests[0])
    with pytest.raises(SystemExit):
        transreward(["data", "relabel", *names, *here, "--clone", "--out", "other-v0"])
    assert "Only DRaE weighs actions: `policy` and `clone` need `--method drae`" in capsys.readouterr().err


def test_weights_are_of_densities_in_the_units_of_actions(tmp_path: Path) -> None:
    dataset = build(BuildArgs(pair="InvertedPendulum-mass-2.0", quality="random", size=1_000, root=tmp_path))
    unlike = policy(actions=1)
    flat = replace(dataset.transitions(), actions=dataset.transitions().actions / 3.0)
    logs = PolicyRatio(policy=unlike).logs(dataset)
    uniform = UniformPolicy(action_size=1).sample(flat.observations, np.random.default_rng(0))[1]
    expected = unlike.log_densities(flat.observations, flat.actions) - uniform
    np.testing.assert_allclose(logs, expected, atol=1e-4)
