"""Where source and target lie in a policy's features while it learns: a plane through the features of all checkpoints,
and how well a linear probe tells the domains apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from studio.analysis.feature_frames import FRAMES, DomainFrames, Tick, domain_frames
from studio.contracts import Array, Batch, FeaturePolicy, Strategy
from studio.errors import DataError
from studio.experiment import Experiment
from studio.nn.domain_alignment import linear_guesses
from studio.registry import Registry
from studio.store.checkpoint import list_checkpoints
from studio.store.log_reader import read_log
from studio.store.policies import check_params, load_policy_folder

SHOWN = 24  # checkpoints of a run, at most
CHUNK = 128  # frames at once
RESAMPLES = 1000  # of the scored episodes


@dataclass(frozen=True)
class CheckpointFeatures:
    """The features of one checkpoint, on the plane, and the probe's accuracy on episodes that it was not fitted on.

    Args:
        step: of the training; 0: the source policy before it.
        points: (frames, 2).
        probe: the mean of the domains' accuracies; ``low`` and ``high`` are its 95% interval over episodes, NaN where
            a domain has fewer than two that are scored.
    """

    step: int
    points: Array
    probe: float
    low: float
    high: float


@dataclass(frozen=True)
class FeatureProjection:
    """Features of a run's checkpoints on one plane: the two directions of the greatest variance over all of them.

    Args:
        fields: of the domains in the experiment: target, source, sources.1 ….
        embodiments: of each domain.
        domain: of each frame, (frames,), an index.
        classes: of each frame, (frames,), the recorded choice; None: actions are no choices.
        explained: shares of the variance that the plane's axes hold, (2,).
        checkpoints: in the order of their steps.
        classifier: (steps, accuracies) of the strategy's own classifier of domains while it learned; None: it has none.
    """

    fields: tuple[str, ...]
    embodiments: tuple[str, ...]
    domain: Array
    classes: Array | None
    explained: Array
    checkpoints: tuple[CheckpointFeatures, ...]
    classifier: tuple[Array, Array] | None

    @property
    def chance(self) -> float:
        """Return the accuracy of guessing: that of features which do not reveal the domain."""
        return 1 / len(self.fields)

    def classifier_at(self, step: int) -> float:
        """Return the classifier's accuracy, the last until a step; NaN where there is none."""
        if self.classifier is None:
            return math.nan
        steps, values = self.classifier
        place = int(np.searchsorted(steps, step, side="right")) - 1
        return float(values[place]) if place >= 0 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: the frames' labels once, and each checkpoint with its points."""
        return {
            "domains": [
                {"field": field, "embodiment": embodiment}
                for field, embodiment in zip(self.fields, self.embodiments, strict=True)
            ],
            "chance": self.chance,
            "explained": self.explained.tolist(),
            "domain": self.domain.tolist(),
            "classes": None if self.classes is None else self.classes.tolist(),
            "checkpoints": [
                {
                    "step": one.step,
                    "probe": one.probe,
                    "low": one.low,
                    "high": one.high,
                    "classifier": self.classifier_at(one.step),
                    "points": one.points.round(5).tolist(),
                }
                for one in self.checkpoints
            ],
        }


class FeatureReader:
    """Reads the features of a run's checkpoints on the same frames. What it has read it keeps, so that it can be asked
    again while the run trains.

    Args:
        frames: of each domain, at most.
        tick: see :func:`studio.analysis.feature_frames.domain_frames`.

    Raises:
        DataError: there is no run, its policy has no features to look at, or a domain has no frames.
    """

    def __init__(self, run: Path, registry: Registry, frames: int = FRAMES, tick: Tick | None = None) -> None:
        if not (run / "experiment.yaml").is_file():
            raise DataError("There is no run in this folder.", str(run), "Name the folder of a run.")
        self.run, self._registry = run, registry
        self._experiment = experiment = Experiment.load(run / "experiment.yaml")
        policy = registry.get("policies", experiment.policy.id, "policy.id")
        if not policy.has_features:
            words = f"The policy '{policy.title}' has no features to look at."
            raise DataError(words, str(run), "Choose a run with another policy.")
        kind = registry.get("strategies", experiment.strategy.id, "strategy.id")
        self._strategy: Strategy = kind(check_params(kind, experiment.strategy.params, "strategy.params"))
        has_base = (run / "base" / "config.json").is_file()
        base = load_policy_folder(run / "base", registry) if has_base else None
        self._base: FeaturePolicy | None = base
        moves = self._strategy.moves_source_features
        found = domain_frames(experiment, registry, 2 * frames if moves else frames, tick, base)
        # what a move is estimated from are other frames than those that are shown: it fits its own too well
        self._estimates = [each.half(1) for each in found] if moves else []
        self._frames = [each.half(0) for each in found] if moves else found
        self._known: dict[int, list[Tensor]] = {}  # features of each domain, by step

    def read(self) -> FeatureProjection:
        """Return the features of the checkpoints that there are now.

        Raises:
            DataError: there is none yet, or one cannot be read.
        """
        folders = {step: path / "policy" for stage, step, path in list_checkpoints(self.run) if stage != "pretrain"}
        wanted = thinned([step for step, folder in sorted(folders.items()) if (folder / "config.json").is_file()])
        for step in wanted:
            if step not in self._known:
                policy = load_policy_folder(folders[step], self._registry)
                self._known[step] = self._features(policy, self._strategy.moves_source_features)
        if 0 not in self._known and self._base is not None and self._frames[0].is_like(self._frames[1]):
            self._known[0] = self._features(self._base, moves=False)
        steps = [step for step in sorted(self._known) if step in wanted or step == 0]
        if not wanted:
            raise DataError("The run has no checkpoint yet.", str(self.run), "Wait for the first one.")
        return self._projected(steps)

    def _features(self, policy: FeaturePolicy, moves: bool) -> list[Tensor]:
        """Return the features of each domain, the target first, as the policy's head reads them."""

        def read(frames: Sequence[DomainFrames]) -> list[Tensor]:
            return [features_of(*self._reader_of(place, policy), each) for place, each in enumerate(frames)]

        target, *sources = read(self._frames)
        if moves:
            known, *others = read(self._estimates)
            pairs = zip(sources, others, strict=True)
            sources = [self._strategy.aligned(source, other, known) for source, other in pairs]
        return [target, *sources]

    def _reader_of(self, place: int, policy: FeaturePolicy) -> tuple[FeaturePolicy, int]:
        """Return what reads a domain, and the row of that domain in its tables.

        That is the policy, unless the source's features stay those of the source policy, or it has no tables for the
        source's robot.
        """
        frames, domains = self._frames[place], len(self._frames)
        if self._base is None or place == 0 or not self._strategy.aligns_to_source_policy():
            if policy.embodiments in (0, domains):
                return policy, place
            if frames.is_like(self._frames[0]):
                return policy, 0
        if self._base is None:
            words = f"The policy has no tables for the robot of '{frames.field}', and there is no source policy."
            raise DataError(words, str(self.run), "Choose a run that learns on both robots.")
        return self._base, place - 1 if self._base.embodiments == domains - 1 else 0

    def _projected(self, steps: Sequence[int]) -> FeatureProjection:
        domain = np.repeat(np.arange(len(self._frames)), [len(frames) for frames in self._frames])
        stacked = [torch.cat(self._known[step]).double() for step in steps]
        points, explained = joint_plane(stacked)
        checkpoints = [
            CheckpointFeatures(step, plane, *domain_probe(self._known[step], [f.episodes for f in self._frames]))
            for step, plane in zip(steps, points, strict=True)
        ]
        classes = [frames.classes for frames in self._frames if frames.classes is not None]
        return FeatureProjection(
            tuple(frames.field for frames in self._frames),
            tuple(frames.embodiment for frames in self._frames),
            domain,
            np.concatenate(classes) if len(classes) == len(self._frames) else None,
            explained,
            tuple(checkpoints),
            self._classifier(),
        )

    def _classifier(self) -> tuple[Array, Array] | None:
        metrics, name = read_log(self.run).metrics, self._strategy.domain_accuracy
        for (_, metric), series in metrics.items():
            if name and metric == name:
                return series.step, series.value
        return None


def features_of(policy: FeaturePolicy, row: int, frames: DomainFrames) -> Tensor:
    """Return what a policy's head reads of frames, (n, width), on the CPU; ``row`` is their domain's in its tables."""
    found: list[Tensor] = []
    with torch.inference_mode():
        seen, actions = policy.tensors(frames.observations), torch.as_tensor(frames.actions).float()
        for rows in torch.arange(len(frames)).split(CHUNK):
            labels = torch.full((len(rows),), row)
            parts = {name: values[rows] for name, values in seen.items()}
            found.append(policy.features(Batch(parts, actions[rows], labels, labels)))
    return torch.cat(found)


def thinned(steps: Sequence[int]) -> list[int]:
    """Return at most ``SHOWN`` of a run's steps, the last one always: every one, every second, every fourth …, so that
    those which were chosen once are chosen again as the run goes on."""
    every = 1
    while len(steps) / every > SHOWN - 1:
        every *= 2
    return sorted({*steps[every - 1 :: every], *steps[-1:]})


def joint_plane(features: Sequence[Tensor]) -> tuple[list[Array], Array]:
    """Return features, (n, width) each, on the plane of the greatest variance over all of them: (n, 2) each, and the
    axes' shares of the variance, (2,).

    Each is centered on its own mean first, so that what all features have in common as they drift takes no axis.
    """
    centered = [each - each.mean(0) for each in features]
    rows = torch.cat(centered)
    values, vectors = torch.linalg.eigh(rows.T @ rows)
    axes = vectors[:, -2:].flip(1)
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # either direction would do: the same one
    shares = values[-2:].flip(0).clamp_min(0) / values.clamp_min(0).sum().clamp_min(1e-30)
    return [(each @ axes).float().numpy() for each in centered], shares.numpy()


def domain_probe(features: Sequence[Tensor], episodes: Sequence[Array]) -> tuple[float, float, float]:
    """Return how well a linear probe names the domain, the mean of the domains' accuracies, with its 95% interval.

    It is fitted on the even rows and scored on the odd ones. The interval is a bootstrap over the scored episodes of
    each domain; it is NaN where one has fewer than two.

    Args:
        features: of each domain, (n, width).
        episodes: the number of each row's episode, (n,), for each domain.
    """
    labels = torch.arange(len(features)).repeat_interleave(torch.tensor([len(each[0::2]) for each in features]))
    fitted, scored = (torch.cat([each[half::2] for each in features]) for half in (0, 1))
    guesses = linear_guesses(fitted, one_hot(labels, len(features)), scored)
    parts = guesses.split([len(each[1::2]) for each in features])
    rng, means, resampled = np.random.default_rng(0), [], []
    for domain, (guessed, numbers) in enumerate(zip(parts, episodes, strict=True)):
        right = (guessed == domain).numpy().astype(float)
        _, episode = np.unique(numbers[1::2], return_inverse=True)
        hits, counts = np.bincount(episode, right), np.bincount(episode)
        means.append(float(right.mean()))
        chosen = rng.integers(0, len(counts), (RESAMPLES, len(counts)))
        resampled.append(hits[chosen].sum(1) / counts[chosen].sum(1) if len(counts) > 1 else np.full(RESAMPLES, np.nan))
    low, high = np.quantile(np.mean(resampled, 0), (0.025, 0.975))
    return float(np.mean(means)), float(low), float(high)
