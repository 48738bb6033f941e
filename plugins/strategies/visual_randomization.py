"""Randomize what the training images look like, so that another look is one more variation."""

from __future__ import annotations

from studio.contracts import Problem, Requires
from studio.experiment import Domain, Experiment, RandomizationTerm, setting
from studio.experiment.randomization import RandomizationField
from studio.il.strategy import TINY, CloningParams
from studio.il.zero_shot import ZeroShotStrategy


class VisualRandomization(ZeroShotStrategy):
    """Demonstrations of the source are rendered with another camera, light and colors in every episode; each image of a
    batch is varied again. The policy then acts on the target, whose look it never saw, as it is.

    With a strength of 0 and no augmentation it is training without randomization, to compare with.
    """

    id = "visual_randomization"
    title = "Visual randomization"
    summary = "Trains on the source with random cameras, lights, colors and images, then acts on the target zero-shot."
    reference = "Tobin et al. 2017, arXiv:1703.06907"
    tags = ("imitation", "domain randomization", "zero-shot")
    requires = Requires(source_data=True, same_spaces=True)
    example = {**TINY, "target": {**TINY["target"], "embodiment": TINY["source"]["embodiment"]}}

    class Params(CloningParams):
        """Optimization, and how far the looks vary."""

        augment_images: bool = setting(
            True,
            "Augment images",
            "Randomly varies brightness, contrast, saturation, blur and sharpness of the training images.",
        )
        strength: float = setting(
            1.0, "Strength", "Factor on all of the ranges below; 0: the source's look as it is.", ge=0, le=1
        )
        camera_position: float = setting(
            0.05, "Camera position", "How far the camera moves along each axis, at most.", "m", ge=0, le=1
        )
        light_position: float = setting(
            0.5, "Light position", "How far lights move along each axis, at most.", "m", ge=0, le=5
        )
        light_intensity: float = setting(
            0.4, "Light intensity", "The lights' brightness is multiplied by 1 ± this.", ge=0, lt=1
        )
        color: float = setting(0.3, "Color", "Red, green and blue of all parts are multiplied by 1 ± this.", ge=0, lt=1)

    def terms(self) -> list[RandomizationTerm]:
        """Return what varies from episode to episode."""
        params = self.params
        spreads: list[tuple[RandomizationField, float, float]] = [
            ("camera_position", 0.0, params.camera_position),
            ("light_position", 0.0, params.light_position),
            ("light_intensity", 1.0, params.light_intensity),
            ("color", 1.0, params.color),
        ]
        return [
            RandomizationTerm(field=field, low=rest - params.strength * spread, high=rest + params.strength * spread)
            for field, rest, spread in spreads
            if params.strength * spread
        ]

    def training_source(self, source: Domain) -> Domain:
        terms = self.terms()
        fields = {term.field for term in terms}
        return source.changed(randomization=[*[t for t in source.randomization if t.field not in fields], *terms])

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        if not experiment.source.observes("image"):
            problems.append(Problem("source.observation", "There are no images to vary.", "Observe the image."))
        if experiment.source.datasets and self.terms():
            words = "Recorded images cannot be rendered with another camera or light."
            remedy = "Set the strategy's strength to 0, which leaves augmentation, or leave the dataset out."
            problems.append(Problem("source.dataset", words, remedy))
        return problems
