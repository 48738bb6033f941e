"""Real-to-sim-to-real: calibrate the simulation with recordings of the robot, train in it, fine-tune on the robot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from studio.contracts import Context, EmbodimentSpec, Metrics, Problem, Requires, Stateful, Strategy
from studio.data.batches import BatchSampler, Mixed
from studio.errors import StudioError
from studio.experiment import Domain, Experiment, Settings, setting
from studio.il.cloning import UNITS, BehaviorCloning
from studio.il.strategy import TINY
from studio.registry import shared_registry
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.randomization.fields import NOMINAL

STAGES = ("real_data", "identification", "calibrated_data", "training", "fine_tuning")
_REACH = {"embodiment": "ur5_6dof", "observation": "goal", "episodes": 2}


class RealToSimToReal(Strategy):
    """Five stages: recordings and a few demonstrations of the real robot; identification of its parameters; expert
    demonstrations in the simulation calibrated by them; cloning of those, with randomization around the estimate; and
    fine-tuning on the real demonstrations. The evaluation on the target is the deployment score.

    The target is the real robot: a simulated stand-in with hidden parameters, which is recorded and gives the
    demonstrations; or files of its recordings and of its demonstrations (the target's dataset). With files alone, the
    evaluation runs in the target's own simulation. The source's randomization of other parameters is kept.
    """

    id = "real_to_sim_to_real"
    title = "Real to sim to real"
    summary = (
        "Identifies the robot's parameters, calibrates and randomizes the simulation around them, trains there, and "
        "fine-tunes on the robot."
    )
    reference = "Chebotar et al. 2019 (arXiv:1810.05687)"
    requires = Requires()
    stages = STAGES
    example = {
        **TINY,
        "source": _REACH,
        "target": {**_REACH, "hidden_dynamics": "heavy"},
        "strategy": {
            "params": {
                "fields": ["actuator_gain"], "method": "sysid", "simulated_episodes": 3, "real_episodes": 2,
                "fine_tuning_iterations": 4,
            }
        },
    }  # fmt: skip
    units = UNITS | {"misfit": "sensor noise", "misfit_nominal": "sensor noise"}
    tags = ("imitation", "sim-to-real", "identification")

    class Params(Settings):
        """Identification, simulation and training."""

        simulation: Literal["identified", "randomized", "nominal"] = setting(
            "identified",
            "Simulation",
            "identified: calibrated by system identification. For comparison, randomized: with the source's own "
            "randomization, and nominal: without any.",
        )
        recordings: Path | None = setting(
            None,
            "Recordings",
            "HDF5 file of the robot's motion with commands, qpos and dt; if empty, the stand-in robot is recorded.",
        )
        method: Literal["lstm", "sysid"] = setting(
            "lstm",
            "Identification",
            "Identification method: a trained LSTM, or nonlinear least squares on the MuJoCo simulation.",
        )
        fields: list[str] = setting(
            ["mass", "damping", "friction", "actuator_gain", "actuator_delay"],
            "Parameters",
            "Physical parameters to identify.",
        )
        margin: float = setting(
            0.05,
            "Margin",
            "How far the randomization extends beyond the estimate's interval, as a fraction of it, within the "
            "search range.",
            ge=0,
            le=1,
        )
        simulated_episodes: int = setting(
            100, "Simulated episodes", "Number of expert demonstrations in simulation.", "episodes", ge=1, le=100_000
        )
        real_episodes: int = setting(
            10,
            "Real episodes",
            "Number of demonstrations on the robot; 0 skips fine-tuning.",
            "episodes",
            ge=0,
            le=10_000,
        )
        learning_rate: float = setting(
            1e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
        )
        fine_tuning_iterations: int = setting(
            150, "Fine-tuning", "Gradient steps on the robot's demonstrations.", "steps", ge=1, le=1_000_000
        )
        fine_tuning_rate: float = setting(
            2e-4, "Fine-tuning rate", "Peak learning rate of the fine-tuning.", gt=0, le=1
        )

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = self._unfit(experiment.source)
        if experiment.target.hidden_dynamics is None:
            if self.params.simulation == "identified" and self.params.recordings is None:
                message = "There is no robot to identify."
                remedy = (
                    "Choose a stand-in robot for the target, or set a file of the robot's recordings in the "
                    "strategy's parameters."
                )
                problems.append(Problem("target.hidden_dynamics", message, remedy))
            elif self.params.real_episodes and experiment.target.dataset is None:
                message = "There are no episodes of the robot to fine-tune on."
                remedy = (
                    "Choose a dataset of the robot's episodes or a stand-in robot for the target, or set "
                    "real_episodes to 0."
                )
                problems.append(Problem("target.dataset", message, remedy))
        for name in ("task", "embodiment", "control", "observation"):
            if getattr(experiment.source, name) != getattr(experiment.target, name):
                message = f"The simulation (source) and the robot (target) differ in {name}."
                problems.append(Problem(f"source.{name}", message, "Choose the same for both."))
        return problems

    def _unfit(self, source: Domain) -> list[Problem]:
        """Return why the fields or the recordings do not fit the simulation."""
        from studio.sysid import check_fields, plant_for, read_recordings

        problems, registry, file = [], shared_registry(), self.params.recordings
        try:
            check_fields(self.params.fields)
        except StudioError as error:
            problems.append(Problem("strategy.params.fields", error.message, error.remedy))
        try:
            if file is not None:
                recordings = read_recordings(file)
                if not task_of(source, registry).check(embodiment_of(source, registry)):
                    plant_for(resolve(source, registry), recordings)
        except StudioError as error:
            if error.field == str(file):  # the source's own problems are reported at its fields
                problems.append(Problem("strategy.params.recordings", error.message, error.remedy))
        return problems

    def setup(self, context: Context[Any]) -> None:
        self._context = context
        plan = context.experiment
        self._real = plan.target.changed(episodes=max(1, self.params.real_episodes))
        self._simulation = plan.source.changed(
            episodes=self.params.simulated_episodes, dataset=None, hidden_dynamics=None,
            **({"randomization": []} if self.params.simulation == "nominal" else {}),
        )  # fmt: skip
        self._progress, self._cloning = _Progress(), _StageCloning()
        self._policy: Any = context.policy(pretrained=False)
        self._total = (
            3 + plan.budget.iterations + (self.params.fine_tuning_iterations if self.params.real_episodes else 0)
        )

    def iterate(self) -> Iterator[Metrics]:
        context, params = self._context, self.params
        real: Any = None
        if params.real_episodes:
            real = context.demonstrations(context.target.changed(self._real), context.experiment.seed)
        progress = self._progress
        if progress.stages < 1:
            yield self._over("real_data", {"real_episodes": params.real_episodes})
        if progress.stages < 2:
            if params.simulation == "identified":
                self._identify()
            estimates = {f"estimate_{name}": value for name, (value, *_) in progress.estimates.items()}
            yield self._over("identification", estimates | progress.misfit)
        domain = self._calibrated()
        calibrated = context.sources[0].changed(domain)
        simulated = context.demonstrations(calibrated, context.experiment.seed)
        if progress.stages < 3:
            self._policy.bind([EmbodimentSpec.of(calibrated, simulated)])
            yield self._over("calibrated_data", {"simulated_episodes": len(simulated)})
        if progress.stages < 4:
            budget = context.experiment.budget
            yield from self._learn("training", simulated, budget.iterations, params.learning_rate)
        if progress.stages < 5 and params.real_episodes:
            yield from self._learn("fine_tuning", real, params.fine_tuning_iterations, params.fine_tuning_rate)

    def policy(self) -> Any:
        return self._policy

    def stateful(self) -> Mapping[str, Stateful]:
        return {"progress": self._progress, "policy": self._policy, "learner": self._cloning}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a checkpoint; in those of earlier versions the progress is not nested under ``progress``."""
        super().load_state_dict(state if "progress" in state else {**state, "progress": state})

    # -- the stages ----------------------------------------------------------------------------------------------

    def _over(self, stage: str, values: dict[str, float]) -> Metrics:
        self._progress.step += 1
        self._progress.stages += 1
        return Metrics(self._progress.step, self._total, values, stage, 1.0)

    def _identify(self) -> None:
        """Set estimates and misfit from recordings of the robot."""
        from studio.sysid import chosen, identify, misfit, plant_for

        seed = self._context.experiment.seed
        simulated = self._context.sources[0].changed(self._simulation)
        plant, recordings = plant_for(simulated, self._recordings())
        found = identify(
            simulated,
            recordings,
            self.params.fields,
            method=self.params.method,
            seed=seed,
            tick=self._tick,
        )
        self._progress.estimates = {n: [e.value, e.low, e.high] for n, e in found.items() if e.identifiable}
        self._progress.misfit = {
            "misfit_nominal": misfit(plant, recordings, {}),
            "misfit": misfit(plant, recordings, chosen(found)),
        }

    def _recordings(self) -> Any:
        from studio.sysid import read_recordings, record

        context = self._context
        if self.params.recordings is not None:
            return read_recordings(self.params.recordings)
        return record(context.target.changed(self._real), None, None, context.experiment.seed, tick=self._tick)

    def _tick(self, share: float) -> None:
        self._context.progress(round(1000 * share), 1000)

    def _calibrated(self) -> Domain:
        """Return the simulation, with the identified parameters randomized around their estimates."""
        if self.params.simulation != "identified":
            return self._simulation
        from studio.sysid import Estimate, terms_around

        found = {
            name: Estimate(value, low, high, identifiable=True, nominal=NOMINAL[name])
            for name, (value, low, high) in self._progress.estimates.items()
        }
        return self._simulation.changed(randomization=terms_around(self._simulation, found, self.params.margin))

    def _learn(self, stage: str, episodes: Any, iterations: int, rate: float) -> Iterator[Metrics]:
        plan = self._context.experiment
        learner = BehaviorCloning(
            self._policy,
            BatchSampler(self._policy, [Mixed(episodes)], plan.budget.batch_size, plan.seed),
            list(self._policy.parameters()),
            iterations=iterations,
            learning_rate=rate,
        )
        self._cloning.start(learner)
        for metrics in learner.iterate():
            self._progress.step += 1
            if metrics.step == metrics.total:
                self._progress.stages += 1
                self._cloning.end()
            yield Metrics(self._progress.step, self._total, metrics.values, stage, metrics.step / metrics.total)


class _Progress:
    """Iterations and stages that are over, and what identification found."""

    def __init__(self) -> None:
        self.step, self.stages = 0, 0
        self.estimates: dict[str, list[float]] = {}  # field → value, low, high
        self.misfit: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        found = {"estimates": dict(self.estimates), "misfit": dict(self.misfit)}
        return {"step": self.step, "done": self.stages, **found}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step, self.stages = int(state["step"]), int(state["done"])
        self.estimates = {name: [float(v) for v in values] for name, values in state["estimates"].items()}
        self.misfit = dict(state["misfit"])


class _StageCloning:
    """The cloning of the present stage. A state that is loaded waits until the stage's demonstrations are there."""

    def __init__(self) -> None:
        self._learner: BehaviorCloning | None = None
        self._pending: dict[str, Any] = {}

    def start(self, learner: BehaviorCloning) -> None:
        if self._pending:
            learner.load_state_dict(self._pending)
        self._learner, self._pending = learner, {}

    def end(self) -> None:
        self._learner = None

    def state_dict(self) -> dict[str, Any]:
        return self._pending if self._learner is None else self._learner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._learner, self._pending = None, state
