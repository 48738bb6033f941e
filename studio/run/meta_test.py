"""Meta-test: what a run's strategy makes of one task of its family, after 0, 1, 2 … shots of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from studio.contracts import EXPERT, Policy, Problem, ReferenceLine, ResolvedDomain, Shots, TaskSplit, TrialPolicy
from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from studio.experiment.plans import MOST_SHOTS
from studio.meta.task_split import split
from studio.meta.trials import run_trials, scored_trials
from studio.registry import Registry
from studio.run.adaptation import Adaptation, AfterShots
from studio.run.belief import Belief, belief
from studio.run.check import strategy_of
from studio.run.evaluate import Evaluation, evaluate, score_of, score_of_groups
from studio.run.restored import RestoredStrategy, restored_strategy, run_experiment
from studio.run.tally import Tally, Tick
from studio.sim.rollout import Outcome, policy_actions, run_episodes
from studio.sim.tasks.contexts import PREFIX
from studio.sim.trajectory import TrajectoryRecorder
from studio.sim.world import World

Array = np.ndarray
SHOTS = (0, 1, 2, 3)  # beside those that the experiment scores
MOST_NUMBERS = 6  # of shots, unless others are asked for
REPEATS = 10  # independent adaptations behind a score
EPISODES = 4  # of each adapted policy
ANSWERS = 64  # the same where an episode is a single step: it answers one question


class MetaTest:
    """Adapts a run's strategy, as its newest checkpoint has it, to tasks of its target's family.

    Args:
        tick: see :func:`studio.run.restored.restored_strategy`.

    Raises:
        DataError: the run's strategy does not adapt to a new task, or has no training state yet.
    """

    def __init__(self, run: Path, registry: Registry, tick: Tick = lambda done, total: None) -> None:
        if not adapts(run_experiment(run), registry):
            words = "The run's strategy does not adapt to a new task: its policy stays as it is."
            raise DataError(words, str(run), "Choose a run of a meta-learning strategy, such as rl2 or few_shot.")
        self._restored: RestoredStrategy = restored_strategy(run, registry, tick)
        self._policy: Policy = self._restored.strategy.policy()
        self._plan = self._restored.experiment.evaluation

    @property
    def target(self) -> ResolvedDomain:
        """Return the domain whose tasks are adapted to."""
        return self._restored.target

    @property
    def step(self) -> int:
        """Return the training step of the checkpoint."""
        return self._restored.step

    @property
    def shots(self) -> tuple[int, ...]:
        """Return the numbers of shots that are of interest: few ones that it takes, and the experiment's own."""
        own = {0, *self._plan.shots}
        few = own if len(own) >= len(SHOTS) else {*SHOTS, *own}
        return tuple(count for count in sorted(few) if not self._problems([count]))[:MOST_NUMBERS]

    def _problems(self, shots: Sequence[int]) -> list[Problem]:
        """Return why the strategy could not be asked for such shots in an experiment: a trial may be shorter."""
        field = "evaluation.shots"
        problems = self._restored.strategy.check(self._restored.experiment.changed(**{field: [*shots]}))
        return [problem for problem in problems if problem.field == field]

    def _wanted(self, shots: Sequence[int]) -> list[int]:
        """Return the numbers of shots in order; none: ``self.shots``. Raises ExperimentError: it takes fewer."""
        wanted = sorted(set(shots or self.shots))
        for problem in self._problems(wanted):
            raise ExperimentError(problem.message, "shots", problem.remedy)
        return wanted

    @property
    def tasks(self) -> TaskSplit:
        """Return held-out contexts of the family, inside its range and outside it."""
        return split(self.target, self._plan.seed)

    @property
    def first_context(self) -> tuple[float, ...]:
        """Return the context that the target gives, or else the first held-out one; of no family, none."""
        given = self.target.domain.contexts or self.tasks.inside
        return tuple(given[0]) if given else ()

    def references(self, context: Sequence[float]) -> tuple[ReferenceLine, ...]:
        """Return what the scores on a task are compared with: what the task says, and its scripted expert's score."""
        task = self.target.task
        lines = tuple(task.reference_lines(context)) if task.context else ()
        if not task.has_expert or any(line.name == EXPERT for line in lines):
            return lines
        score = evaluate("expert", self._task(context, 0), EPISODES, self._plan.seed)
        return ReferenceLine(EXPERT, (score.score,), f"{EPISODES} episodes"), *lines

    def adapt(
        self,
        context: Sequence[float],
        shots: Sequence[int] = (),
        repeats: int = REPEATS,
        tick: Tick = lambda done, total: None,
    ) -> Iterator[Adaptation]:
        """Yield what the strategy makes of a task: at once, then with more and more of the ``repeats`` behind it.

        Args:
            shots: numbers of support episodes, gradient steps or trial episodes, as the strategy defines its shots;
                none: ``self.shots``.
            repeats: independent adaptations.
            tick: called with (adaptations ended, all of them); it may raise to leave.

        Raises:
            ExperimentError: there is no such context, or the strategy takes fewer shots.
        """
        wanted = self._wanted(shots)
        domain = self._task(context, wanted[-1])
        found = self._trials(domain, wanted, repeats, tick) if self._policy.plays_trials else None
        for after in found or self._adaptations(domain, wanted, repeats, tick):
            yield Adaptation(tuple(context), self.target.task.is_inside(context), after)

    def held_out(
        self, which: str, shots: Sequence[int] = (), tick: Tick = lambda done, total: None
    ) -> dict[int, Evaluation]:
        """Return the scores over held-out tasks, by shots; their intervals are over tasks.

        Args:
            which: ``"inside"`` the family's range, or ``"outside"``.
            tick: called with (done, total), whatever is counted; it may raise to leave.

        Raises:
            ExperimentError: the family has no such tasks, or the strategy takes fewer shots.
        """
        contexts = self.tasks.inside if which == "inside" else self.tasks.outside
        if not contexts:
            words = f"The family of '{self.target.task.id}' has no tasks {which} its range."
            other = "outside" if which == "inside" else "inside"
            raise ExperimentError(words, "held_out", f"Choose {other}.")
        wanted = self._wanted(shots)
        if self._policy.plays_trials:
            return self._held_out_trials(contexts, wanted, tick)
        parts: dict[int, list[Evaluation]] = {count: [] for count in wanted}
        tally = Tally(tick, len(contexts) * len(wanted))
        for context in contexts:
            for found in self.adapt(context, wanted, 1, tally.piece(len(wanted))):
                for one in found.after:
                    parts[one.shots].append(one.score)
        return {count: self._score([one.outcome for one in scores]) for count, scores in parts.items()}

    def _held_out_trials(
        self, contexts: Sequence[Sequence[float]], shots: Sequence[int], tick: Tick
    ) -> dict[int, Evaluation]:
        """Return the scores of trials of all held-out tasks together, each of which draws one of them."""
        policy, seed = cast(TrialPolicy, self._policy), self._plan.seed
        domain = self.target.changed(self.target.domain.changed(contexts=[list(context) for context in contexts]))
        length, seeds = max(shots) + 1, range(seed, seed + len(contexts) * EPISODES)
        total = length * len(seeds)
        outcomes = scored_trials(policy, domain, max(shots), seeds, seed, lambda ended: tick(ended, total))
        return {count: self._score(_by_context(outcomes[count])) for count in shots}

    def _task(self, context: Sequence[float], most: int) -> ResolvedDomain:
        """Return the target with one context; demonstrations of it are the expert's."""
        domain, task = self.target.domain, self.target.task
        if not task.context:
            return self.target
        if len(context) != len(task.context):
            width = f"{len(task.context)} number{'s' * (len(task.context) != 1)}"
            words = f"A context of '{task.id}' has {width}, not {len(context)}."
            raise ExperimentError(words, "context", f"Give {', '.join(task.context)}.")
        if not np.isfinite(context).all():
            words = "A number of the context is not finite."
            raise ExperimentError(words, "context", f"Give numbers for {', '.join(task.context)}.")
        if problems := task.check_context(context):
            raise ExperimentError(problems[0].message, "context", problems[0].remedy)
        mine = [float(value) for value in context]
        if mine in domain.contexts and len(domain.contexts) == 1:
            return self.target
        return self.target.changed(domain.changed(contexts=[mine], datasets=[], episodes=max(most, domain.episodes, 1)))

    def _trials(
        self, domain: ResolvedDomain, shots: Sequence[int], repeats: int, tick: Tick
    ) -> Iterator[tuple[AfterShots, ...]]:
        """Yield once: all trials are played together, and a trial's episode after n others is that after n shots."""
        policy, seed, length = cast(TrialPolicy, self._policy), self._plan.seed, max(shots) + 1
        seeds, found = range(seed, seed + repeats * EPISODES), []
        total = length * len(seeds)
        outcomes = scored_trials(policy, domain, max(shots), seeds, seed, lambda ended: tick(ended, total))
        last = policy.act if policy.explores_apart else None
        for count in shots:
            recorder = TrajectoryRecorder(count + 1)  # of a trial alone, as the strategy adapts to one
            run_trials(policy.exploring(seed), domain, count + 1, [seed], observers=[recorder], last=last)
            played = recorder.trajectories()
            adapted = self._restored.strategy.adapt(Shots(domain, count, seed))
            known = belief(adapted, played[:count], domain, seed)
            score = score_of(outcomes[count], domain.task.has_success)
            support = np.array([one.path[-1] for one in played[:count]]).reshape(-1, 3)
            found.append(AfterShots(count, score, played[count], played[count].path[-1:], known, support))
        yield tuple(found)

    def _adaptations(
        self, domain: ResolvedDomain, shots: Sequence[int], repeats: int, tick: Tick
    ) -> Iterator[tuple[AfterShots, ...]]:
        """Yield after each repetition: the strategy adapts to a support of its own, and its policy plays episodes."""
        episodes = ANSWERS if domain.task.horizon == 1 else EPISODES
        world = World(domain.domain, domain.new_task(), domain.embodiment, episodes)
        recorders = [TrajectoryRecorder(len(shots), sim) for sim in range(episodes)]
        outcomes: dict[int, list[Outcome]] = {count: [] for count in shots}
        beliefs, supports = list[Belief](), list[Array]()
        try:
            world.observers.extend(recorders)
            for repeat in range(repeats):
                first, support_seed = self._plan.seed + repeat * episodes, self._restored.experiment.seed + repeat
                for place, count in enumerate(shots):
                    tick(repeat * len(shots) + place, repeats * len(shots))
                    support = Shots(domain, count, support_seed)
                    policy = self._restored.strategy.adapt(support)
                    seeds = range(first, first + episodes)
                    outcomes[count].append(run_episodes(world, policy_actions(policy), seeds))
                    if repeat == 0:
                        beliefs.append(belief(policy, None if count else (), domain, first))
                        supports.append(self._restored.strategy.support_places(support))
                played = [recorder.trajectories() for recorder in recorders]
                ends = [np.array([one[place].path[-1] for one in played]) for place in range(len(shots))]
                scores = [self._score(outcomes[count]) for count in shots]
                found = zip(shots, scores, played[0], ends, beliefs, supports, strict=True)
                yield tuple(AfterShots(*each) for each in found)
        finally:
            world.close()

    def _score(self, parts: Sequence[Outcome]) -> Evaluation:
        return score_of_groups(parts, self.target.task.has_success)


def _by_context(outcome: Outcome) -> list[Outcome]:
    """Return the episodes of each context."""
    columns = [values for key, values in outcome.randomization.items() if key.startswith(PREFIX)]
    task = np.unique(np.stack(columns, 1), axis=0, return_inverse=True)[1].ravel()
    return [outcome.rows(np.flatnonzero(task == place)) for place in range(task.max() + 1)]


def adapts(experiment: Experiment, registry: Registry) -> bool:
    """Return whether an experiment's strategy makes another policy of what it sees of a new task.

    Raises:
        ExperimentError: there is no such strategy or policy.
    """
    kind, _ = strategy_of(experiment, registry)
    return bool(kind.adapts or registry.get("policies", experiment.policy.id, "policy.id").plays_trials)


def check_request(shots: Sequence[int], repeats: int) -> None:
    """Raise ExperimentError where numbers of shots or of adaptations are out of range."""
    if not all(0 <= count <= MOST_SHOTS for count in shots):
        words = "A number of shots is out of range."
        raise ExperimentError(words, "shots", f"Choose numbers from 0 to {MOST_SHOTS}.")
    if repeats < 1:
        raise ExperimentError("Without an adaptation there is no score.", "repeats", "Choose 1 or more.")
