"""Bandits and tabular MDPs: RL², SNAIL and DPT against values that are known exactly, and published figures.

``short``: ten pulls of five and of ten arms, by RL² and SNAIL; the greedy policy's value is exact, by following it
through all 1,024 sequences of rewards. ``long``: a hundred pulls of five arms by RL² with fast weights, greedily, on
fresh bandits. ``rules``: what known rules earn there; the published figures are of few bandits. ``tabular``:
ten episodes of random MDPs by RL² with fast weights, by sampled actions as in training, on fresh MDPs. ``dpt``: ten
pulls by the decision-pretrained transformer's samples; its value on five arms is exact, by dynamic programming over all
counts of successes and failures, as it reads the trial as a set. Ten arms have ten million counts: there 200,000 trials
are drawn, whose expected rewards are known at each pull.

The experiments are those of ``assets/experiments``. With a constant weight of the entropy, six runs of RL² on seeds 0,
1 and 2 had reached 98.8 to 99.8% in 200 iterations; it decays since SNAIL learned better so on seed 101. Seconds are
those of the whole run, with its evaluation, on the machine as it was. ``python tests/bench/bandits.py [FOLDER [PART
…]]`` runs what is not in the folder of runs yet, and prints the figures of these parts, or of all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _sessions import RUNS, run_all

from studio.experiment import Experiment
from studio.meta.exact_bandits import counts_value, optimal_value, policy_value, thompson_value
from studio.meta.trial_policy import TrialActorCritic
from studio.meta.trial_transformer import TrialTransformer
from studio.meta.trials import run_trials
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.store.checkpoint import load_policy
from studio.store.runs import RunInfo

SEEDS = (0, 1, 2)
PULLS, LONG = 10, 100
EXPERIMENTS = Path(__file__).resolve().parents[2] / "assets" / "experiments"
TRIALS = 200_000  # of DPT on ten arms, and of the rules
FRESH, FRESH_LONG, AT_ONCE, FIRST = 20_000, 200_000, 2_000, 50_000_000  # tasks of a score, and the first one's seed
Array = np.ndarray
Row = dict[str, Any]


def runs_of(name: str, folder: Path, task: str = "") -> list[RunInfo]:
    """Return the runs of an example, on another task if one is given."""
    base = Experiment.load(EXPERIMENTS / f"{name}.yaml")
    changes = {"source.task": task, "target.task": task} if task else {}
    return run_all([base.changed(seed=seed, **changes) for seed in SEEDS], folder)


def greedy_value(policy: TrialActorCritic, arms: int) -> float:
    """Return the exact value of a policy's likeliest choices."""
    memory: Any = None

    def act(pull: Array, before: Array, reward: Array) -> Array:
        nonlocal memory
        observation = {
            "state": (1 - pull / PULLS).astype(np.float32)[:, None],
            "previous_action": (before[:, None] == np.arange(arms)).astype(np.float32),
            "previous_end": np.zeros((len(pull), 1), np.float32),
            "previous_reward": reward.astype(np.float32)[:, None],
        }
        chosen, memory = policy.act(observation, memory)
        return np.asarray(chosen[:, 0].astype(int))

    return policy_value(arms, PULLS, act)


def probabilities_of(policy: TrialTransformer) -> Callable[[Array], Array]:
    """Return what gives the probabilities of a bandit policy's choices, (n, arms), by counts, (n, arms, 2), of as many
    pulls each."""
    arms = policy.params.outputs

    def probabilities(counts: Array) -> Array:
        n, cells = len(counts), np.tile(np.arange(2 * arms), len(counts))
        cells = np.repeat(cells, counts.reshape(-1).astype(int)).reshape(n, -1)  # arm, and whether it failed
        pulled = np.eye(arms, dtype=np.float32)[cells // 2]
        end, reward = np.zeros((*cells.shape, 1), np.float32), (cells[..., None] % 2 == 0).astype(np.float32)
        support = torch.from_numpy(np.concatenate([pulled, end, reward], -1))
        with torch.inference_mode():
            logits = policy(support, torch.ones(cells.shape, dtype=torch.bool), torch.zeros(n, 1, 0))[:, 0]
            return logits.double().softmax(-1).numpy()

    return probabilities


def drawn_value(arms: int, probabilities: Callable[[Array], Array], pulls: int = PULLS) -> tuple[float, float]:
    """Return the mean expected reward of trials drawn from the prior, and the half of its 95% interval."""
    rng, each = np.random.default_rng(0), []
    for _ in range(TRIALS // 10_000):
        counts, expected, rows = np.zeros((10_000, arms, 2), int), np.zeros(10_000), np.arange(10_000)
        for _ in range(pulls):
            shares, chances = probabilities(counts), (1 + counts[..., 0]) / (2 + counts.sum(-1))
            expected += (shares * chances).sum(1)
            arm = np.minimum((rng.random((len(rows), 1)) > shares.cumsum(1)).sum(1), arms - 1)
            counts[rows, arm, (rng.random(len(rows)) > chances[rows, arm]).astype(int)] += 1
        each.append(expected)
    values = np.concatenate(each)
    return float(values.mean()), 1.96 * float(values.std()) / len(values) ** 0.5


def short(folder: Path) -> list[Row]:
    """Return percent of the optimum, and seconds."""
    found = []
    for title, name in (("RL²", "rl2_bandit"), ("SNAIL", "snail_bandit")):
        for arms in (5, 10):
            runs, best = runs_of(name, folder, f"bandit_{arms}"), optimal_value(arms, PULLS)
            each = [100 * greedy_value(load_policy(run.folder), arms) / best for run in runs]
            unit = f"% of the optimum {best:.4f}, worst of {len(each)} seeds, exact"
            found.append(row(f"{title}, n=10, k={arms}", min(each), unit, ">= 99.7", min(each) >= 99.7, each))
            seconds = [run.seconds for run in runs]
            found.append(
                row(f"{title}, n=10, k={arms}: a run", max(seconds), "s, the longest", "<= 120", None, seconds)
            )
    return found


def ucb1(constant: float) -> Callable[[Array], Array]:
    """Return the probabilities of UCB1's choices by counts: the largest mean + √(c log t / n)."""

    def probabilities(counts: Array) -> Array:
        number = counts.sum(-1)
        bonus = np.sqrt(constant * np.log(number.sum(1, keepdims=True) + 1) / np.maximum(number, 1))
        index = np.where(number > 0, counts[..., 0] / np.maximum(number, 1) + bonus, np.inf)
        return np.eye(counts.shape[1])[index.argmax(1)]

    return probabilities


def thompson() -> Callable[[Array], Array]:
    """Return the choices of Thompson sampling by counts, drawn: a 1 for the chosen arm."""
    rng = np.random.default_rng(1)
    return lambda counts: np.eye(counts.shape[1])[rng.beta(1 + counts[..., 0], 1 + counts[..., 1]).argmax(1)]


def gittins(pulls: int) -> Callable[[Array], Array]:
    """Return the choices by the finite-horizon Gittins index, a 1 for the chosen arm.

    The index of an arm with m pulls left is the largest certain reward a pull, on a grid of 401, that going on with the
    arm is at least worth as much as: V(s, f, m) = max(λ m, p (1 + V(s+1, f, m−1)) + (1 − p) V(s, f+1, m−1)).
    """
    certain = np.linspace(0, 1, 401)
    s, f = np.arange(pulls + 1)[:, None], np.arange(pulls + 1)
    chance = ((1 + s) / (2 + s + f))[..., None]
    index, value = np.zeros((pulls + 1,) * 3), np.zeros((pulls + 1, pulls + 1, len(certain)))
    for left in range(1, pulls + 1):
        n = pulls + 1 - left
        going_on = chance[:n, :n] * (1 + value[1 : n + 1, :n]) + (1 - chance[:n, :n]) * value[:n, 1 : n + 1]
        index[left, :n, :n] = certain[(going_on >= left * certain - 1e-12).sum(-1) - 1]
        value[:n, :n] = np.maximum(going_on, left * certain)

    def probabilities(counts: Array) -> Array:
        left = pulls - counts[0].sum()
        return np.eye(counts.shape[1])[index[left, counts[..., 0], counts[..., 1]].argmax(1)]

    return probabilities


def indices() -> list[Row]:
    """Return what known rules earn in a hundred pulls of five arms, which is compared with RL²'s."""
    rules = {"Thompson sampling": thompson(), "finite-horizon Gittins index": gittins(LONG)}
    rules |= {f"UCB1, c = {constant:g}": ucb1(constant) for constant in (0.03, 0.05, 0.07, 0.1, 0.15, 0.2)}
    found = {name: drawn_value(5, rule, LONG) for name, rule in rules.items()}
    return [
        row(f"n=100, k=5: {name}", value, f"total reward ± {half:.2f} on {TRIALS} drawn bandits")
        for name, (value, half) in found.items()
    ]


def totals(run: RunInfo, sampled: bool, tasks: int) -> Array:
    """Return the total rewards in fresh trials, (tasks,), of the policy's likeliest actions, or of sampled ones."""
    plan, policy = Experiment.load(run.folder / "experiment.yaml"), load_policy(run.folder)
    domain, episodes = resolve(plan.target, shared_registry()), plan.strategy.params["trial"]
    parts = []
    for first in range(FIRST, FIRST + tasks, AT_ONCE):
        act = policy.exploring(first) if sampled else policy.act
        outcomes, _ = run_trials(act, domain, episodes, range(first, first + AT_ONCE))
        parts.append(sum(outcome.returns for outcome in outcomes))
    return np.concatenate(parts)


def played(
    title: str, name: str, least: float, published: str, folder: Path, tasks: int, sampled: bool = False
) -> list[Row]:
    """Return the mean total reward of the runs, with its 95% interval over fresh tasks for these seeds, without the
    variance between seeds, and seconds."""
    runs = runs_of(name, folder)
    each = [totals(run, sampled, tasks) for run in runs]
    means = [float(found.mean()) for found in each]
    error = 1.96 * float(np.mean(each, 0).std()) / np.sqrt(tasks)  # the seeds' tasks are the same
    unit = f"total reward ± {error:.2f} on {tasks} fresh tasks; {published}"
    mean, seconds = float(np.mean(means)), [run.seconds for run in runs]
    return [
        row(title, mean, unit, f">= {least:g}", mean >= least, means),
        row(f"{title}: a run", max(seconds), "s, the longest", "", None, seconds),
    ]


def dpt(folder: Path) -> list[Row]:
    """Return how far the values of DPT are from Thompson sampling's."""
    found = []
    for arms in (5, 10):
        runs, wanted = runs_of("dpt_bandit", folder, f"bandit_{arms}"), thompson_value(arms, PULLS)
        policies = [probabilities_of(load_policy(run.folder)) for run in runs]
        if arms == 5:
            values, how = [counts_value(arms, PULLS, policy) for policy in policies], "exact"
        else:
            drawn = [drawn_value(arms, policy) for policy in policies]
            values, how = [value for value, _ in drawn], f"± {100 * max(half for _, half in drawn) / wanted:.2f}"
        off = max(100 * abs(value / wanted - 1) for value in values)
        unit = f"% off Thompson sampling's {wanted:.4f}, worst of {len(values)} seeds, {how}"
        found.append(row(f"DPT, n=10, k={arms}", off, unit, "<= 1", off <= 1, values))
        seconds = [run.seconds for run in runs]
        found.append(row(f"DPT, n=10, k={arms}: a run", max(seconds), "s, the longest", "", None, seconds))
    return found


PARTS: dict[str, Callable[[Path], list[Row]]] = {
    "short": short,
    "long": lambda folder: played(
        "RL², n=100, k=5", "rl2_bandit_fast_weights", 78.0, "UCB1 78.0, paper 78.7", folder, FRESH_LONG
    ),
    "rules": lambda folder: indices(),
    "tabular": lambda folder: played(
        "RL², MDPs, n=10", "rl2_tabular", 150.0, "PSRL 138.1, paper 156.2", folder, FRESH, sampled=True
    ),
    "dpt": dpt,
}


def main() -> None:
    folder, chosen = Path(sys.argv[1]) if sys.argv[1:] else RUNS / "bandits", sys.argv[2:] or list(PARTS)
    rows = []
    for part in chosen:
        rows += PARTS[part](folder)
        print(*rows, sep="\n", file=sys.stderr, flush=True)
    finish(rows)


if __name__ == "__main__":
    main()
