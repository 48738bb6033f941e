"""Identification on 200 unseen parameter draws of an arm and of Hopper: LSTM and mujoco.sysid side by side.

Hopper twice: with the motors' gain known, and with all fields unknown, where mass, damping, armature and gain can only
be told up to a common factor and ``mujoco.sysid``, which takes many seconds a draw, runs on the first few. Of what
cannot be identified the whole range is reported: no interval is judged.

Everything runs on one thread. What was found lies under ``runs/bench/identification`` and is taken as it is, so an
interrupted bench goes on where it stopped.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _training import kept

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sysid import (
    FIELDS,
    SENSOR_NOISE,
    LstmIdentifier,
    Plant,
    Ranges,
    fit_with_sysid,
    record,
)
from studio.sysid.estimate import is_shown
from studio.sysid.sensitivity import sensitivity

DRAWS = 200
SYSID_DRAWS = {"UR5e": DRAWS, "Hopper, gain known": DRAWS, "Hopper, all unknown": 8}
ENOUGH = 50  # draws from which a coverage can be judged
KNOWN_GAIN = tuple(name for name in FIELDS if name != "actuator_gain")
CASES = {
    "UR5e": (Domain(embodiment="ur5_6dof", task="reach"), FIELDS),
    "Hopper, gain known": (
        Domain(embodiment="hopper", task="hopper", control="motor", observation="state"), KNOWN_GAIN,
    ),
    "Hopper, all unknown": (Domain(embodiment="hopper", task="hopper", control="motor", observation="state"), FIELDS),
}  # fmt: skip


def judge(case: str, method: str, ranges: Ranges, cannot: dict[str, str], found: Any, truth: np.ndarray) -> list[Any]:
    """Rows of one method: error where it names a value, coverage everywhere, and what is said to be unidentifiable."""
    unit, low, high = found
    # (draws, fields): as an Estimate says it
    said = is_shown(low, high) & np.array([name not in cannot for name in ranges.fields])
    values, real = ranges.from_unit(unit), ranges.to_unit(truth)
    draws = len(truth)
    rows = []
    for i, field in enumerate(ranges.fields):
        name = f"{case}, {method}, {field}"
        if field in cannot:
            share = float(1 - said[:, i].mean())
            rows.append(
                row(f"{name}: said not identifiable", share, f"share of {draws} draws", ">= 0.95", share >= 0.95)
            )
        else:
            error = np.abs(values[:, i] - truth[:, i]) / truth[:, i]
            shown = float(np.median(error[said[:, i]])) if said[:, i].any() else float("nan")
            unit_ = f"median relative error where identifiable, {said[:, i].mean():.2f} of {draws} draws"
            rows.append(row(name, shown, unit_, "<= 0.10", shown <= 0.10))
            held = float(((real[:, i] >= low[:, i] - 1e-9) & (real[:, i] <= high[:, i] + 1e-9)).mean())
            target, met = ("0.80 to 0.98", 0.80 <= held <= 0.98) if draws >= ENOUGH else ("", None)
            rows.append(row(f"{name}: 90% interval holds the truth", held, f"share of {draws} draws", target, met))
    return rows


def measure(case: str, domain: Domain, fields: tuple[str, ...]) -> list[Any]:
    """Rows of one robot: training, 200 draws by the LSTM, some by least squares."""
    plant = Plant.of(resolve(domain, Registry()), threads=1)
    asked = record(resolve(domain, Registry()), None, None, 0)  # commands and beginnings; the measurements are replaced
    ranges = Ranges.of(fields, plant.model)
    cannot = sensitivity(plant, asked, ranges).reasons(ranges)
    truth = ranges.draw(DRAWS, seed=12345, stream=9)
    qpos, qvel = plant.replay(asked, ranges.named(truth))
    rng = np.random.default_rng(5)
    qpos = qpos + rng.normal(0, SENSOR_NOISE[0], qpos.shape)
    qvel = qvel + rng.normal(0, SENSOR_NOISE[1], qvel.shape)

    def by_lstm() -> dict[str, Any]:
        cpu = time.process_time()
        identifier = LstmIdentifier.train(plant, asked, ranges, seed=0)
        cpu, began = time.process_time() - cpu, time.perf_counter()
        found = identifier.estimate_many(asked, qpos, qvel)
        one = (time.perf_counter() - began) / DRAWS
        return {"cpu": cpu, "one": one, "found": [part.tolist() for part in found]}

    def by_sysid(i: int) -> dict[str, Any]:
        cpu = time.process_time()
        found = fit_with_sysid(plant, asked.with_measured(qpos[i], qvel[i]), ranges, seed=0)
        return {"cpu": time.process_time() - cpu, "found": [part.tolist() for part in found]}

    name = case.replace(",", "").replace(" ", "_")
    learned = kept("identification", f"{name}-lstm", by_lstm)
    rows = [
        row(f"{case}, lstm: training with its simulation, CPU time", learned["cpu"], "s"),
        row(f"{case}, lstm: one identification", learned["one"], "s"),
    ]
    found: Any = tuple(np.array(part) for part in learned["found"])
    rows += judge(case, "lstm", ranges, cannot, found, truth)
    tried = SYSID_DRAWS[case]
    fits = [kept("identification", f"{name}-sysid-{i}", lambda i=i: by_sysid(i)) for i in range(tried)]
    parts, seconds = [[np.array(part) for part in fit["found"]] for fit in fits], [fit["cpu"] for fit in fits]
    fitted = tuple(np.stack([part[k] for part in parts]) for k in range(3))
    method = f"mujoco.sysid, first {tried} draws"
    rows.append(row(f"{case}, {method}: one identification, CPU time", float(np.mean(seconds)), "s"))
    rows += judge(case, method, ranges, cannot, fitted, truth[:tried])
    return rows


def main() -> None:
    torch.set_num_threads(1)
    rows = [r for case, (domain, fields) in CASES.items() for r in measure(case, domain, fields)]
    finish(rows)


if __name__ == "__main__":
    main()
