"""Stacked autoencoders: their loss by hand, and what they learn to sample."""

import numpy as np
import torch

from transreward_baselines.offline.stacked import descend
from transreward_baselines.offline.vae import MOST_LATENT, StackedVAE


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def through(network: torch.nn.Module, run: int, inputs: np.ndarray) -> np.ndarray:
    """Return what a run's layers make of inputs, multiplied out in numpy."""
    layers = list(zip(network.weights, network.biases, strict=True))  # type: ignore[call-overload]
    for index, (weight, bias) in enumerate(layers):
        hidden = np.maximum(inputs, 0.0) if index else inputs
        inputs = hidden @ weight[run].detach().double().numpy() + bias[run].detach().double().numpy()
    return inputs


def test_the_loss_is_squared_error_and_half_the_divergence_from_the_prior() -> None:
    vae = StackedVAE([3, 4], observation=3, action=2, hidden=16)
    observations, noise = numbers(2, 7, 3, seed=1), numbers(2, 7, vae.latent, seed=2)
    actions = numbers(2, 7, 2, seed=3).tanh()
    found = vae.loss(observations, actions, noise)
    for run in range(2):
        seen, done, drawn = (one[run].double().numpy() for one in (observations, actions, noise))
        code = through(vae.encoder, run, np.concatenate([seen, done], axis=1))
        mean, deviation = code[:, :4], np.exp(code[:, 4:])
        decoded = np.tanh(through(vae.decoder, run, np.concatenate([seen, mean + deviation * drawn], axis=1)))
        divergence = -0.5 * (1.0 + np.log(deviation**2) - mean**2 - deviation**2).mean()
        expected = ((decoded - done) ** 2).mean() + 0.5 * divergence
        np.testing.assert_allclose(found[run].item(), expected, rtol=1e-5)


def test_a_code_as_the_prior_has_no_divergence_and_others_have_some() -> None:
    vae = StackedVAE([0], observation=3, action=2, hidden=8)
    observations, noise = numbers(1, 5, 3, seed=1), numbers(1, 5, vae.latent, seed=2)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.zero_()
    nothing = torch.zeros(1, 5, 2)
    assert vae.loss(observations, nothing, noise).item() == 0.0
    for half in (0, vae.latent):
        with torch.no_grad():
            vae.encoder.biases[-1].zero_()[..., half] = 1.0
        assert vae.loss(observations, nothing, noise).item() > 0.01


def test_sampled_latents_are_bounded() -> None:
    vae = StackedVAE([0], observation=3, action=2, hidden=8)
    observations, far = numbers(1, 5, 3), 10.0 * numbers(1, 5, vae.latent).sign()
    assert torch.equal(vae.sample(observations, far), vae.decode(observations, MOST_LATENT * far.sign()))
    assert not torch.equal(vae.sample(observations, far), vae.decode(observations, far))


def test_samples_follow_what_the_data_have_in_each_state() -> None:
    vae = StackedVAE([0, 1], observation=2, action=1, hidden=32)
    optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)
    for step in range(300):
        observations = numbers(2, 64, 2, seed=step)
        actions = 0.8 * observations[..., :1].tanh()
        descend(optimizer, vae.loss(observations, actions, numbers(2, 64, vae.latent, seed=10_000 + step)))
    observations = numbers(2, 200, 2, seed=77)
    sampled = vae.sample(observations, numbers(2, 200, vae.latent, seed=78)).tanh()
    apart = (sampled - 0.8 * observations[..., :1].tanh()).abs().mean(dim=(1, 2))
    assert (apart < 0.1).all()
