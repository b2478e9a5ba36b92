"""World models on disk: what is written comes back bit for bit, and nothing else is taken for it."""

from pathlib import Path

import pytest
import torch

from tests.wrappers.world_models.systems import SETTINGS, linear_store
from tests.wrappers.world_models.test_models import fit, fitted_tiny, runs, some_actions
from transreward_envs import get_pair
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import save_tensors
from transreward_wrappers.world_models import StaleModelError, domain_of, load_world_model, make_world_model
from transreward_wrappers.world_models.model import AnyModel

LINEAR = {"name": "linear"}


@pytest.fixture
def path(model: AnyModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_a_model_comes_back_bit_for_bit(model: AnyModel, path: Path) -> None:
    loaded = load_world_model(path)
    assert (loaded.kind, loaded.settings, loaded.report) == (model.kind, model.settings, model.report)
    assert loaded.digest() == model.digest()
    state, actions = model.infer(*runs(3, 4)), some_actions(3, 5)
    for ours, theirs in zip(loaded.rollout(state, actions), model.rollout(state, actions), strict=True):
        assert torch.equal(ours, theirs)


def test_a_model_of_another_domain_sizes_or_settings_is_refused(model: AnyModel, path: Path) -> None:
    settings = SETTINGS[model.kind]
    make_world_model(model.kind, 3, 2, domain=LINEAR, **settings).load(path)
    others = [
        make_world_model(model.kind, 3, 2, domain={"name": "another"}, **settings),
        make_world_model(model.kind, 3, 1, domain=LINEAR, **settings),
        make_world_model(model.kind, 3, 2, domain=LINEAR, **{**settings, "hidden": 32}),
    ]
    for other in others:
        with pytest.raises(StaleModelError):
            other.load(path)
    with pytest.raises(StaleModelError):
        load_world_model(path, domain={"name": "another"})


def test_a_model_that_was_fitted_to_other_data_is_refused(model: AnyModel, path: Path) -> None:
    again = make_world_model(model.kind, 3, 2, domain=LINEAR, **SETTINGS[model.kind])
    again.load(path, data=linear_store().digest())
    with pytest.raises(StaleModelError, match="must have been fitted to the episodes of digest"):
        again.load(path, data=linear_store(episodes=11).digest())


def test_domains_of_pairs_differ_as_their_shifts_do() -> None:
    heavy, light = (domain_of(get_pair(name)) for name in ("Hopper-mass-2.0", "Hopper-mass-3.0"))
    assert heavy != light
    assert domain_of(get_pair("Hopper-mass-2.0"), "source") == domain_of(get_pair("Hopper-mass-3.0"), "source")


def test_a_file_that_is_none_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="A world model is read from a file; there is no"):
        load_world_model(tmp_path / "nothing.safetensors")
    other = tmp_path / "other.safetensors"
    save_tensors(other, {"weight": torch.zeros(2)}, {"what": "else"})
    with pytest.raises(CorruptFileError, match="A world model's file says so in its metadata"):
        load_world_model(other)
    save_tensors(other, {"weight": torch.zeros(2)}, {"world_model": {"format": 9}})
    with pytest.raises(CorruptFileError, match="format of a world model's file must be 1; .* has 9"):
        load_world_model(other)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CorruptFileError):
        load_world_model(path)


def test_a_model_that_is_not_fitted_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="must be fitted or loaded before it is used"):
        make_world_model("ensemble", 3, 2).save(tmp_path / "model.safetensors")


def test_a_digest_follows_the_weights() -> None:
    model = fitted_tiny("ensemble", linear_store(episodes=10))
    before = model.digest()
    fit(model, linear_store(episodes=11))
    assert model.digest() != before
