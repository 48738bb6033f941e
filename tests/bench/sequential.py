"""Sequential comparison on simulated pairs of policies with known success rates: errors, power, episodes saved.

The two policies' outcomes are independent, which is the hard case: on shared starts they go together, fewer episodes
are needed, and the test is as exact. The fixed plan is the number of episodes with which Barnard's test (pooled z,
exact and unconditional) has 90% power at the same alpha and rates. The sequential plan may play more at the most
(``INFLATION``), as group-sequential designs do to keep the power; what it plays on average is what counts. Savings
are also given for a plan of 200 episodes, the studio's default, which is generous for 20 points.
"""

from __future__ import annotations

import math

import numpy as np
from _report import finish, row

from studio.analysis.sequential import decide

ALPHA, POWER, INFLATION, SEED = 0.05, 0.9, 1.15, 0
EQUAL_PAIRS, PAIRS = 20_000, 2_000  # so many equal ones tell 0.048 from 0.052
EQUAL = (0.1, 0.5, 0.9)
DIFFERENT = ((0.4, 0.6), (0.5, 0.7), (0.7, 0.9))
DEFAULT = 200
Array = np.ndarray


def pairs(rates: tuple[float, float], planned: int, seed: int, count: int = PAIRS) -> tuple[Array, Array]:
    """Played episodes and decisions (−1, 0, 1) of simulated pairs, (count,) each."""
    rng = np.random.default_rng(seed)
    outcomes = [(rng.random((count, planned)) < rate).astype(float) for rate in rates]
    found = [decide(*scores, planned, ALPHA) for scores in zip(*outcomes, strict=True)]
    return np.array([one.played for one in found]), np.array([one.ahead for one in found])


def exact_errors(rate: float, seed: int) -> float:
    """The probability with which equal policies are decided, exact for each of PAIRS draws of undecided episodes."""
    rng = np.random.default_rng(seed)
    spent = []
    for _ in range(PAIRS):
        ties = rng.random(DEFAULT) >= 2 * rate * (1 - rate)
        even = np.where(ties, 0.0, np.where(np.cumsum(~ties) % 2, 1.0, -1.0))  # never decided: it goes to the end
        spent.append(decide(np.zeros(DEFAULT), even, DEFAULT, ALPHA).spent)
    return float(np.mean(spent))


def binomial(n: int, rate: float) -> Array:
    """Probabilities of 0 … n successes."""
    return np.array([math.comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)])


def barnard_power(n: int, rates: tuple[float, float]) -> float:
    """Power of Barnard's test with n episodes of each policy: the largest exact level on a grid of rates is alpha."""
    wins = np.arange(n + 1)
    pooled = (wins[:, None] + wins) / (2 * n)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled) * 2 / n, 1e-12))
    statistic = np.round(np.abs(wins[:, None] - wins) / n / spread, 9).ravel()
    order = np.argsort(-statistic, kind="stable")
    levels = np.zeros(len(order))
    for rate in np.linspace(0.01, 0.5, 50):
        one = binomial(n, rate)
        levels = np.maximum(levels, np.cumsum(np.outer(one, one).ravel()[order]))
    last = statistic[order]
    ends = np.append(last[1:] != last[:-1], True)  # equal statistics are rejected together
    fits = np.flatnonzero(ends & (levels <= ALPHA))
    rejected = order[: fits[-1] + 1]
    return float(np.outer(binomial(n, rates[0]), binomial(n, rates[1])).ravel()[rejected].sum())


def fixed_plan(rates: tuple[float, float]) -> int:
    """The fewest episodes of each policy with which Barnard's test has the asked power."""
    return next(n for n in range(20, 400) if barnard_power(n, rates) >= POWER)


def main() -> None:
    rows = []
    for place, rate in enumerate(EQUAL):
        _, ahead = pairs((rate, rate), DEFAULT, SEED + place, EQUAL_PAIRS)
        wrong = float((ahead != 0).mean())
        error = 1.96 * math.sqrt(wrong * (1 - wrong) / EQUAL_PAIRS)
        unit = f"of {EQUAL_PAIRS} simulated pairs, ± {error:.4f}"
        rows.append(row(f"false positives, both {rate:.0%}, simulated", wrong, unit))
        exact = exact_errors(rate, SEED + place)
        rows.append(row(f"false positives, both {rate:.0%}, exact", exact, "", f"≤ {ALPHA}", exact <= ALPHA))
    for place, rates in enumerate(DIFFERENT):
        name = f"{rates[0]:.0%} against {rates[1]:.0%}"
        fixed = fixed_plan(rates)
        rows.append(row(f"{name}, fixed plan of {POWER:.0%} power", fixed, "episodes"))
        for words, planned, against in (
            (f"at most {INFLATION:g} × the fixed plan", math.ceil(INFLATION * fixed), fixed),
            (f"plan of {DEFAULT}", DEFAULT, DEFAULT),
        ):
            played, ahead = pairs(rates, planned, SEED + 10 + place)
            saved = 1 - float(played.mean()) / against
            rows.append(row(f"{name}, {words}: power", float((ahead == 1).mean()), ""))
            rows.append(row(f"{name}, {words}: mean episodes", float(played.mean()), "episodes"))
            rows.append(row(f"{name}, {words}: fewer than fixed", saved, "", "≥ 0.3", saved >= 0.3))
            wrong = float((ahead == -1).mean())
            rows.append(row(f"{name}, {words}: wrong policy ahead", wrong, "", f"≤ {ALPHA / 2}", wrong <= ALPHA / 2))
    finish(rows)


if __name__ == "__main__":
    main()
