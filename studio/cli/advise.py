"""What ``transfer-studio advise`` does."""

from __future__ import annotations

import argparse

from studio import paths
from studio.cli.experiments import load_experiment
from studio.files import json_text


def advise(options: argparse.Namespace) -> int:
    """Print what rules of thumb recommend for an experiment, and what was measured."""
    from studio.analysis.advice import advise as advise_for
    from studio.analysis.advice import figures_folders, own_figures, shipped_figures
    from studio.analysis.advice_text import advice_lines

    experiment = load_experiment(options.experiment_file, options.set)
    figures = own_figures(experiment, options.out or paths.runs()) + shipped_figures(experiment, figures_folders())
    advice = advise_for(experiment, figures)
    print(json_text(advice.to_dict()) if options.json else "\n".join(advice_lines(advice)))
    return 0
