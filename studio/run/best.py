"""Keeps the best policy of a training, chosen by interim scores on episodes that no evaluation has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

from studio.contracts import Policy, Strategy
from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.files import json_text
from studio.nn.snapshot import snapshot
from studio.registry import Registry
from studio.run.label_free import ProbabilityRecorder
from studio.run.reporter import Reporter
from studio.run.score_target import score_target
from studio.seeds import selection_seed
from studio.sim.domains import resolve
from studio.store.policies import load_policy_folder, save_policy


class BestPolicy:
    """The policy with the highest selection score so far, in the run's ``best/``: policy, artifacts and best.json.

    Of equal scores the earlier policy is kept. A resumed run continues with what its folder holds.
    """

    def __init__(self, experiment: Experiment, registry: Registry, reporter: Reporter) -> None:
        assert reporter.folder is not None, "the run has no folder yet"
        self._experiment, self._registry, self._reporter = experiment, registry, reporter
        self._folder = reporter.folder / "best"
        self._kept: dict[str, Any] | None = None
        if (self._folder / "best.json").exists():
            self._kept = json.loads((self._folder / "best.json").read_text(encoding="utf-8"))

    def consider(self, strategy: Strategy, step: int) -> None:
        """Score the policy of a step on the selection episodes, and keep it where it is the best so far."""
        plan, reporter = self._experiment, self._reporter
        policy: Any = snapshot(strategy.policy())
        recorder = ProbabilityRecorder(policy) if policy.gives_probabilities else None
        *_, result = score_target(
            policy if recorder is None else cast(Policy, recorder),
            resolve(plan.target, self._registry),
            plan.evaluation,
            plan.evaluation.short_episodes,
            selection_seed(plan.seed),
            lambda ended, wanted: reporter.clock.tick(),
            choosing=True,
        )
        value, measure = result.score, result.measure
        if recorder is not None:
            information, score = recorder.mutual_information(), value
            values = {"selection_score": score, "selection_information": information}
            units = {"selection_information": "nats"}
            reporter.publish(MetricsLogged(reporter.pipeline.stage, step, reporter.clock.seconds, values, units))
            if plan.evaluation.keep_best_by == "mutual_information":
                value, measure = information, "mutual information, nats"
        if self._kept is None or value > self._kept["score"]:
            self._kept = {"step": step, "score": value, "measure": measure}
            self._save(strategy)

    @property
    def step(self) -> int:
        """Return the step of the best policy."""
        assert self._kept is not None, "no policy was scored"
        return int(self._kept["step"])

    def policy(self) -> Any:
        """Return the best policy, and log which one it is."""
        assert self._kept is not None, "no policy was scored"
        measure, score, plan = self._kept["measure"], self._kept["score"], self._experiment.evaluation
        most = max(plan.shots)
        shots = f" after {most} {'shot' if most == 1 else 'shots'}" if plan.uses_shots else ""
        self._reporter.say(
            f"The best policy is that of step {self.step} ({measure} {score:.3f}{shots} on the selection episodes)."
        )
        self._reporter.status.note(best_step=self.step)
        return load_policy_folder(self._folder / "policy", self._registry)

    def publish_artifacts(self, run: Path) -> None:
        """Copy what the strategy wrote beside the best policy (an adapter, for one) into the run's folder."""
        for found in self._folder.iterdir():
            if found.is_dir() and found.name != "policy":
                shutil.rmtree(run / found.name, ignore_errors=True)
                shutil.copytree(found, run / found.name)
            elif found.is_file() and found.name != "best.json":
                shutil.copy2(found, run / found.name)

    def _save(self, strategy: Strategy) -> None:
        temporary = self._folder.with_name(".best.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        save_policy(strategy.merged_policy(), temporary / "policy")
        strategy.artifacts(temporary)
        (temporary / "best.json").write_text(json_text(self._kept), encoding="utf-8")
        shutil.rmtree(self._folder, ignore_errors=True)
        temporary.rename(self._folder)
