"""The demo's comparison: 4 strategies × 5, 20, 50, 100 episodes × 3 seeds, with the expert and the source policy.

Runs that exist under ``runs/bench`` are taken as they are, so an interrupted bench goes on where it stopped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from _report import finish, row

from studio import paths
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run import pretrain
from studio.run.evaluate import evaluate
from studio.sim.domains import resolve
from studio.store.policies import load_policy_folder

ROOT = Path(__file__).resolve().parents[2]
FILE = paths.assets() / "experiments" / "demo.yaml"


def main() -> None:
    out = ROOT / "runs" / "bench"
    command = [sys.executable, "-m", "studio", "compare", str(FILE), "--json", "--out", str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    table = json.loads(done.stdout.strip().splitlines()[-1])["rows"]
    (Path(__file__).parent / "comparison-table.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    registry, experiment = Registry(), Experiment.load(FILE)
    rows = []
    for name, domain in (("source", experiment.source), ("target", experiment.target)):
        expert = evaluate("expert", resolve(domain, registry), 200, experiment.evaluation.seed)
        rows.append(
            row(f"expert on the {name}", expert.score, "share of 200 episodes", ">= 0.99", expert.score >= 0.99)
        )
    folder = pretrain.find(experiment, registry)
    assert folder is not None
    source, seed = resolve(experiment.source, registry), experiment.evaluation.seed
    base = evaluate(load_policy_folder(folder, registry), source, 200, seed)
    rows.append(row("source policy on its source", base.score, "share of 200 episodes", ">= 0.9", base.score >= 0.9))
    at = {(r["strategy"], r["episodes"]): r for r in table}
    for strategy in ("full_finetuning", "lora"):
        gap = at[(strategy, 50)]["success"] - at[("from_scratch", 50)]["success"]
        rows.append(row(f"{strategy} over from_scratch, 50 episodes", gap, "success", ">= 0.15", gap >= 0.15))
    rows += [
        row(f"{r['strategy']}, {r['episodes']} episodes", r["success"], f"success [{r['low']:.3f}, {r['high']:.3f}]")
        for r in table
    ]
    finish(rows)


if __name__ == "__main__":
    main()
