"""Scores of a session's policy: during the training and at the end, on the target and on the source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.contracts import ResolvedDomain, Shots, Strategy
from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.meta.trial_returns import by_episode
from studio.nn.snapshot import snapshot
from studio.registry import Registry
from studio.run.conditions import JOINED, under
from studio.run.evaluate import Evaluation, evaluate, measure_of
from studio.run.reporter import Reporter
from studio.run.score_adapted import score_adapted
from studio.run.score_target import score_target
from studio.run.tally import Tally, Tick
from studio.sim.domains import resolve
from studio.store.policies import fit_to_source
from studio.store.runs import interim_evaluations


class Scores:
    """Evaluates a strategy's policy and keeps the rows of run.json, in ``evaluations``."""

    def __init__(self, experiment: Experiment, registry: Registry, reporter: Reporter) -> None:
        self._experiment, self._registry, self._reporter = experiment, registry, reporter
        self.evaluations: list[dict[str, Any]] = []
        self._tally = Tally(reporter.count, 0)  # of the final evaluation

    def restore(self, step: int) -> None:
        """Take up the interim scores that a resumed run has up to a step."""
        folder, target = self._reporter.folder, resolve(self._experiment.target, self._registry)
        assert folder is not None
        self.evaluations = interim_evaluations(folder, step, measure_of(target.task.has_success))

    def is_due(self, strategy: Strategy | None, step: int, total: int) -> bool:
        """Whether the policy of a step is to be scored: before the first one only where it acts untrained."""
        every = self._experiment.evaluation.every
        if strategy is None or not every or step % every or step >= total:
            return False
        return step > 0 or strategy.requires.evaluate_at_zero

    def has(self, step: int) -> bool:
        """Whether a step has its interim score: not where a stop came between the step and its evaluation."""
        return any((row["domain"], row["step"], row["final"]) == ("target", step, False) for row in self.evaluations)

    def score_interim(self, strategy: Strategy, step: int) -> None:
        """Evaluate the policy on the target while it trains."""
        plan, clock = self._experiment.evaluation, self._reporter.clock
        start = clock.seconds
        self._score(strategy, "target", step, plan.short_episodes, final=False)
        if not plan.uses_shots:  # else the final one adapts, which this one did not
            each = (clock.seconds - start) / plan.short_episodes
            self._reporter.pipeline.expect("evaluate", each * self._final_episodes(strategy))

    def score_final(self, strategy: Strategy, chosen: Any = None) -> None:
        """Evaluate the result on the target, and on the source where it is known there.

        ``chosen``: the policy that is published; None: the strategy's, as it is now.
        """
        plan, step = self._experiment.evaluation, self._experiment.budget.iterations
        before = len(self.evaluations)
        self._tally = Tally(self._reporter.count, self._final_episodes(strategy))
        self._score(strategy, "target", step, plan.episodes, final=True, chosen=chosen)
        if plan.source_episodes:
            self._score(strategy, "source", step, plan.source_episodes, final=True, chosen=chosen)
        self._score_conditions(strategy, step, chosen, before)

    def _final_episodes(self, strategy: Strategy) -> int:
        """Return how many episodes the final evaluation has, conditions and source included."""
        plan = self._experiment.evaluation
        of_source = plan.source_episodes if self._fits_source(strategy) else 0
        return plan.episodes * (1 + len(plan.conditions)) + of_source

    def _fits_source(self, strategy: Strategy) -> bool:
        """Whether the policy can act on the source: it descends from a policy of it, or one network fits both."""
        assert self._reporter.folder is not None
        descends = (self._reporter.folder / "base").exists()
        return strategy.acts_on_source and (descends or strategy.requires.same_spaces)

    def _score_conditions(self, strategy: Strategy, step: int, chosen: Any, place: int) -> None:
        """Evaluate the result on the target under each of the evaluation's conditions.

        Their rows are put at ``place``, before those of the result: the last row of a domain is its score.
        """
        reporter, plan, found, rows = self._reporter, self._experiment.evaluation, {}, []
        policy: Any = snapshot(strategy.policy() if chosen is None else chosen)
        target = resolve(self._experiment.target, self._registry)
        for condition in plan.conditions:
            changed = under(target, condition)
            tick = self._tally.piece(plan.episodes)
            result = score_target(policy, changed, plan, plan.episodes, plan.seed, tick)[-1]
            row = {"domain": "target", "step": step, "final": True, "condition": condition}
            rows.append(row | result.to_dict())
            found[condition] = result.score
            reporter.say(
                f"Target, {condition.replace(JOINED, ' and ')}: {result.measure} {result.score:.3f} "
                f"[{result.low:.3f}, {result.high:.3f}]."
            )
        self.evaluations[place:place] = rows
        if found:
            reporter.status.note(conditions=found)
            reporter.status.put(evaluations=[*self.evaluations])

    def _score(self, strategy: Strategy, name: str, step: int, episodes: int, final: bool, chosen: Any = None) -> None:
        """Evaluate the policy on the target, or on the source.

        On the source a policy that descends from a source policy is fitted back to it, since what was forgotten is a
        result; it is taken as it is where one network fits both.
        """
        reporter, plan = self._reporter, self._experiment.evaluation
        assert reporter.folder is not None
        base = reporter.folder / "base"
        descends = name == "source" and base.exists()
        if name == "source" and not self._fits_source(strategy):
            return
        if chosen is None:
            chosen = strategy.merged_policy() if descends else strategy.policy()
        policy: Any = snapshot(chosen)
        if descends:
            fit_to_source(policy, base, self._registry)
        # a short evaluation in the middle of a training is no progress of its own
        tick = self._tally.piece(episodes) if final else lambda ended, wanted: reporter.clock.tick()
        stage = "evaluate" if final else reporter.pipeline.stage
        row = {"domain": name, "step": step, "final": final}
        if name == "source":
            result = evaluate(policy, resolve(self._experiment.source, self._registry), episodes, plan.seed, tick)
        else:
            target = resolve(self._experiment.target, self._registry)
            if final and plan.uses_shots and strategy.adapts and not policy.reads_support:
                if strategy.requires.task_family:
                    scores = score_adapted(strategy, target, plan, self._experiment.seed, tick)
                else:
                    scores = self._after_support(strategy, target, tick)
            else:
                scores = dict(enumerate(score_target(policy, target, plan, episodes, plan.seed, tick)))
                if plan.uses_shots and final:
                    self._report_trials([*scores.values()], step)
            most, result = max(scores), scores[max(scores)]
            if plan.uses_shots and final:
                self.evaluations += [row | {"shots": n} | scores[n].to_dict() for n in plan.shots if n < most]
                row["shots"] = most
        self.evaluations.append(row | result.to_dict())
        for event in result.events(stage, name, step, plan.seed, final):
            reporter.publish(event)
        if final:
            values = {"success": result.score, "low": result.low, "high": result.high, "return": result.mean_return}
            prefix = "" if name == "target" else "source_"
            reporter.status.note(**{prefix + key: value for key, value in values.items()})
            reporter.status.put(evaluations=[*self.evaluations])

    def _after_support(self, strategy: Strategy, target: ResolvedDomain, tick: Tick) -> dict[int, Evaluation]:
        """Return the scores by the number of support episodes that a policy was adapted to: the target's first ones."""
        plan, seed = self._experiment.evaluation, self._experiment.seed
        counts = sorted(set(plan.shots))
        tally, found = Tally(tick, len(counts) * plan.episodes), {}
        for count in counts:
            policy, ticked = strategy.adapt(Shots(target, count, seed)), tally.piece(plan.episodes)
            found[count] = evaluate(policy, target, plan.episodes, plan.seed, ticked)
        return found

    def _report_trials(self, results: Sequence[Evaluation], step: int) -> None:
        """Publish the mean return of a trial's first episode, of its second …, as metrics."""
        values = by_episode("target_return", [result.outcome.returns for result in results])
        self._reporter.publish(MetricsLogged("evaluate", step, self._reporter.clock.seconds, values, {}))
