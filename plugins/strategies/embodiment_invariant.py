"""One policy for several robots whose features do not reveal which robot they belong to."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context, Problem, Requires
from studio.experiment import Experiment, setting
from studio.il.cloning import UNITS
from studio.il.co_training import CoTrainingParams, CoTrainingStrategy
from studio.il.mixture import mixture
from studio.nn.domain_alignment import EmbodimentAdversarialLoss


class EmbodimentInvariant(CoTrainingStrategy):
    """A new policy learns from every robot's demonstrations, while the gradient of a classifier that names the robot
    is reversed into its features."""

    id = "embodiment_invariant"
    title = "Embodiment-invariant features"
    summary = "Trains one policy on several robots at once, with features that do not reveal the robot."
    reference = "Ganin et al. 2016, arXiv:1505.07818, with one class for each robot"
    tags = ("imitation", "several robots", "domain adaptation")
    requires = Requires(source_data=True, target_data=True, sources=(1, None))
    units = UNITS | {"embodiment_loss": "nats", "embodiment_accuracy": ""}
    domain_accuracy = "embodiment_accuracy"

    class Params(CoTrainingParams):
        """Optimization, the classifier, and how batches are mixed."""

        adversarial_weight: float = setting(
            0.1, "Adversarial weight", "What the weight λ of the reversed gradient rises to.", ge=0, le=100
        )
        classifier_width: int = setting(64, "Classifier", "Width of the classifier's hidden layers.", ge=2, le=4096)

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        if len({domain.embodiment for domain in experiment.domains.values()}) == 1:
            words = f"Every domain has the robot '{experiment.target.embodiment}', so there is nothing to tell apart."
            problems.append(Problem("source.embodiment", words, "Choose another robot for a source or for the target."))
        return problems

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=False).train()
        datasets = mixture(context, policy, self.params.source_share)
        self._classifier = EmbodimentAdversarialLoss(
            policy.feature_width, len(datasets), self.params.classifier_width, self.params.adversarial_weight
        ).to(context.device)
        parameters = [*policy.parameters(), *self._classifier.parameters()]
        self.clone(context, policy, parameters, datasets=datasets, auxiliary=[self._classifier])

    def stateful(self) -> Any:
        return {**super().stateful(), "classifier": self._classifier}
