"""The preflight of an imitation run: what its recordings, its policy and its adapter would do, before it trains.

A loss can fall while the robot fails: statistics of another unit, actions that were never normalized, a gripper with
the other sign, a frozen camera, an adapter that changes nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from studio.contracts import CheckResult, Episodes, Policy, Strategy
from studio.data.datasets import cache_path, demonstrations
from studio.data.recording_checks import check_recording
from studio.errors import DataError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run import devices, pretrain
from studio.run.check import check, learns_from_demonstrations, strategy_of
from studio.run.context import SessionContext
from studio.sim.domains import resolve
from studio.store.checkpoint import load_policy
from studio.store.policies import save_policy

Array = np.ndarray
Tick = Callable[[int, int], None]

FRAMES = 512  # recorded frames that a policy is asked about
REPRODUCED = 0.3  # R² from which on a trained policy reproduces its own recording
OPPOSED = -0.2  # correlation of a component with the recorded one


def preflight(experiment: Experiment, registry: Registry, tick: Tick = lambda done, total: None) -> list[CheckResult]:
    """Return what each check found; an experiment with problems is not looked at further.

    Args:
        tick: called with (done, total) while demonstrations are read; it may raise to stop.
    """
    problems = check(experiment, registry)
    if problems:
        return [CheckResult("Experiment", "problem", p.message, p.remedy, p.changes) for p in problems]
    results = [CheckResult("Experiment", "ok", "It can start.")]
    wanted = learns_from_demonstrations(experiment, registry)
    ready = True
    for name, domain in experiment.domains.items():
        if not wanted[name]:
            continue
        resolved = resolve(domain, registry)
        seed = experiment.demonstration_seeds[name]
        if domain.dataset is None and not cache_path(resolved, seed).exists():
            words = "The scripted expert has not recorded its demonstrations yet; a run does it first."
            results.append(CheckResult("Demonstrations", "skipped", words).within(name))
            ready = ready and name != "target"
            continue
        notes: list[str] = []
        episodes = demonstrations(resolved, seed, tick, notes.append)
        results += [CheckResult("Conversions", "ok", note).within(name) for note in notes]
        results += [result.within(name) for result in check_recording(episodes, resolved)]
    if wanted["target"] and ready:
        results += _learning(experiment, registry, tick)
    return results


def preflight_run(run: Path, registry: Registry, tick: Tick = lambda done, total: None) -> list[CheckResult]:
    """Return whether a finished run's policy gives the actions of the recording that it was trained on.

    Raises:
        DataError: there is no finished run in the folder.
    """
    if not (run / "experiment.yaml").is_file():
        raise DataError("There is no run in this folder.", str(run), "Name an experiment's file, or a run's folder.")
    experiment = Experiment.load(run / "experiment.yaml")
    policy = load_policy(run, registry=registry)
    if not learns_from_demonstrations(experiment, registry)["target"]:
        words = "The policy learned from no demonstrations, so there is no recording to compare with."
        return [CheckResult("Predicted against recorded", "skipped", words)]
    target = resolve(experiment.target, registry)
    episodes = demonstrations(target, experiment.seed, tick)
    return [*check_recording(episodes, target), reproduced(policy, episodes, trained=True)]


def _learning(experiment: Experiment, registry: Registry, tick: Tick) -> list[CheckResult]:
    """Return whether one gradient step changes the policy's actions, and what the policy says of the recording."""
    kind, params = strategy_of(experiment, registry)
    check = "Trainable parameters"
    with tempfile.TemporaryDirectory() as place:
        base = Path(place) / "base"
        if kind.requires.source_policy:
            if experiment.pretraining.checkpoint is not None:
                save_policy(pretrain.existing(experiment, registry), base)
                found: Path | None = base
            else:
                found = pretrain.find(experiment, registry)
            if found is None:
                words = "The source policy is not trained yet; look again once a run has trained it."
                return [CheckResult(check, "skipped", words)]
            base = found
        sources = tuple(resolve(domain, registry) for domain in experiment.sources)
        target, device = resolve(experiment.target, registry), devices.choose(experiment.device)
        context = SessionContext(
            experiment, registry, device, sources, target, base, kind.requires.target_data, tick, lambda sentence: None
        )
        strategy: Strategy = kind(params)
        strategy.setup(context)
        policy, episodes = strategy.policy(), context.demonstrations(target)
        trainable = sum(p.numel() for p in policy.parameters() if p.requires_grad)
        whole = sum(p.numel() for p in policy.parameters())
        rows = _rows(episodes)
        policy.train(False)
        before = _actions(policy, episodes, rows)
        result = reproduced(policy, episodes, trained=False)
        policy.train(True)
        next(strategy.iterate())
        policy.train(False)
        change = float(np.abs(_actions(policy, episodes, rows) - before).max())
    about = f"{trainable:,} of {whole:,} parameters ({trainable / whole:.1%})"
    if trainable == 0 or change == 0:
        words = f"A gradient step of {about} changes no action: the strategy trains nothing that acts."
        return [CheckResult(check, "problem", words, "Choose other target modules or another strategy."), result]
    words = f"The first gradient step, of {about}, changes the actions by up to {change:.2g}."
    return [CheckResult(check, "ok", words), result]


def reproduced(policy: Policy, episodes: Episodes, trained: bool) -> CheckResult:
    """Return how well a policy predicts recorded actions: R² over all components, and components of the wrong sign.

    Args:
        trained: whether it was trained on this recording; one that was not may well predict something else.
    """
    check, rows = "Predicted against recorded", _rows(episodes)
    recorded, predicted = episodes.actions[rows].astype(float), _actions(policy, episodes, rows).astype(float)
    if not np.isfinite(predicted).all():
        return CheckResult(check, "problem", "The policy's actions are NaN or infinite.", "Train it again.")
    spread = ((recorded - recorded.mean(0)) ** 2).sum()
    explained = 1 - float(((recorded - predicted) ** 2).sum() / max(spread, 1e-12))
    moving = [i for i in range(recorded.shape[1]) if min(recorded[:, i].std(), predicted[:, i].std()) > 1e-6]
    opposed = [i for i in moving if np.corrcoef(recorded[:, i], predicted[:, i])[0, 1] < OPPOSED]
    when = "After" if trained else "Before"
    words = f"{when} training, R² of the policy's actions against the recorded ones is {explained:.2f}."
    if not trained:
        return CheckResult(check, "ok", words)
    if opposed:
        names = ", ".join(map(str, opposed))
        words = f"Components {names} of the policy's actions go against the recorded ones. {words}"
        return CheckResult(check, "problem", words, "Check the sign of these components in the dataset.")
    if explained < REPRODUCED:
        remedy = "Train longer, check the normalization, or let the policy observe what the recording depends on."
        return CheckResult(check, "problem", words, remedy)
    return CheckResult(check, "ok", words)


def _rows(episodes: Episodes) -> Array:
    return np.unique(np.linspace(0, episodes.frames - 1, min(FRAMES, episodes.frames)).astype(int))


def _actions(policy: Policy, episodes: Episodes, rows: Array) -> Array:
    """Return native actions, (n, width), for recorded observations."""
    observation: Mapping[str, Any] = {name: values[rows] for name, values in episodes.observations.items()}
    actions: Array = policy.act(dict(observation))[0]
    return actions
