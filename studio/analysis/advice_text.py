"""An advice in sentences, for the command line and the window."""

from __future__ import annotations

from collections.abc import Callable

from studio.analysis.advice import Advice, Figure


def headline(advice: Advice, title: Callable[[str], str] = str) -> str:
    """Return the recommendation in a line."""
    count = "1 episode" if advice.episodes == 1 else f"{advice.episodes:,} episodes"
    return f"{title(advice.strategy)}, for {count} and {distance_words(advice)}"


def distance_words(advice: Advice) -> str:
    """Return how far source and target are apart."""
    if not advice.differences:
        return "equal domains"
    known = {"embodiment": "another robot", "dynamics": "other dynamics"}
    *others, last = (known.get(name, f"another {name}") for name in advice.differences)
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"{listed} ({'far' if advice.is_far else 'near'})"


def advice_lines(advice: Advice, title: Callable[[str], str] = str) -> list[str]:
    """Return the whole advice, a sentence or two a line.

    Args:
        title: gives a strategy's words by its id.
    """
    first, *others = advice.rules
    lines = [f"Rule of thumb: {headline(advice, title)}.", f"{first.reason} ({advice.source}, {first.section})"]
    lines += measured_lines(advice, title)
    lines += [f"Or {title(rule.strategy)}. {rule.reason} ({rule.section})" for rule in others]
    for each in advice.helps:
        lines.append(f"{each.reason}: {', '.join(title(id) for id in each.strategies)} ({each.section}).")
    return lines


def measured_lines(advice: Advice, title: Callable[[str], str] = str) -> list[str]:
    """Return what was measured, a line for each origin, and whether it agrees with the recommendation."""
    lines = []
    for best, named in advice.verdicts():
        where = f"Measured at {best.episodes} episodes ({best.origin}{'' if best.same else ', another target'})"
        if named is None:
            what = f"{_figure(best, title)} is best; {title(advice.strategy)} was not run."
        elif named is best:
            what = f"{_figure(named, title)}, the best of what was run."
        elif named.high < best.low:
            what = f"{_figure(named, title)}, behind {_figure(best, title)}: here the rule does not hold."
        else:
            what = f"{_figure(named, title)}; {_figure(best, title)} is best, but the intervals overlap."
        lines.append(f"{where}: {what}")
    return lines or ["Nothing has been measured on this target yet. Press Compare, or run transfer-studio compare."]


def _figure(figure: Figure, title: Callable[[str], str]) -> str:
    form = ".2f" if figure.measure == "success" else ",.4g"
    seeds = "1 seed" if figure.seeds == 1 else f"{figure.seeds} seeds"
    interval = f"[{figure.low:{form}}, {figure.high:{form}}]"
    return f"{title(figure.strategy)} {figure.score:{form}} {interval} over {seeds}"
