"""The tables of a comparison as text."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

NAMED = 6  # settings, at most, in a row's label; JSON has them all
COLUMNS = (
    "strategy", "episodes", "seeds", "success", "low", "high", "source_success", "trainable_parameters", "seconds",
    "peak_memory_mb", "transfer", "measure", "settings", "target", "samples",
)  # fmt: skip


def row_label(row: dict[str, Any]) -> str:
    """Return a row's strategy, and what distinguishes it from the strategy's other rows."""
    return row["strategy"] + (f": {_settings_text(row['settings'])}" if row["settings"] else "")


def format_table(rows: list[dict[str, Any]], style: str) -> str:
    """Return the table as text: ``table``, ``md`` or ``csv``."""
    if style == "csv":
        stream = io.StringIO()
        writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore")  # conditions are in JSON
        writer.writeheader()
        writer.writerows(row | {"settings": _settings_text(row["settings"])} for row in rows)
        return stream.getvalue().rstrip()
    measures = sorted({row["measure"] for row in rows})
    measure = " or ".join(measures) or "success"
    header = ["strategy", "episodes", "seeds", f"{measure} [95%]", "source", "trained", "seconds", "MB", "transfer"]
    # columns for what is not the same in all rows, or not known of all
    more: dict[str, list[str]] = {}
    if len({row["target"] for row in rows}) > 1:
        more["target"] = [row["target"] for row in rows]
    if len(measures) > 1:
        more["measure"] = [row["measure"] for row in rows]
    if any(row["samples"] is not None for row in rows):
        more["samples"] = ["–" if row["samples"] is None else f"{row['samples']:,.0f}" for row in rows]
    header += more
    cells = [
        [
            row_label(row),
            str(row["episodes"]),
            str(row["seeds"]),
            f"{row['success']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
            "–" if row["source_success"] is None else f"{row['source_success']:.3f}",
            f"{row['trainable_parameters']:,}",
            "–" if row["seconds"] is None else f"{row['seconds']:.1f}",
            f"{row['peak_memory_mb']:.0f}",
            row["transfer"] or "–",
            *(column[place] for column in more.values()),
        ]
        for place, row in enumerate(rows)
    ]
    widths = [max(len(line[i]) for line in [header, *cells]) for i in range(len(header))]

    def line(values: list[str]) -> str:
        padded = [v.ljust(w) if i == 0 else v.rjust(w) for i, (v, w) in enumerate(zip(values, widths, strict=True))]
        return "| " + " | ".join(padded) + " |" if style == "md" else "  ".join(padded).rstrip()

    rule = ["-" * w for w in widths]
    return "\n".join([line(header), line(rule), *(line(c) for c in cells)])


def format_conditions(rows: list[dict[str, Any]]) -> str:
    """Return the scores of a table's rows under their evaluation's conditions as text, beside the score itself; empty
    where no row has any."""
    lines = [["strategy", "episodes", "condition", "score [95%]"]]
    for row in rows:
        for name, score in {"–": row, **row["conditions"]}.items() if row["conditions"] else ():
            cell = f"{score['success']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
            lines.append([row_label(row), str(row["episodes"]), name.replace("+", " and "), cell])
    return _columns(lines) if len(lines) > 1 else ""


def format_transfer(rows: list[dict[str, Any]]) -> str:
    """Return the table of transfer over training (see :func:`transfer_table`) as text."""
    shown = ("jumpstart", "asymptotic_gain", "time_to_threshold", "area_ratio", "negative_transfer")
    of = "" if all(row["seeds"] == 1 for row in rows) else " [95%]"
    lines = [["strategy", "episodes", *(f"{name.replace('_', ' ')}{of}" for name in shown), "reached"]]
    for row in rows:
        alone = row["seeds"] == 1  # one seed has no interval
        cells = [f"{row[n][0]:.3g}" + ("" if alone else f" [{row[n][1]:.3g}, {row[n][2]:.3g}]") for n in shown]
        lines.append([row_label(row), str(row["episodes"]), *cells, f"{row['reached']}/{row['seeds']}"])
    return _columns(lines)


def _columns(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def format_decisions(rows: list[dict[str, Any]]) -> str:
    """Return the decisions of a sequential comparison as text, with what they mean."""
    lines = [["strategy", "against", "episodes", "played", "wins–losses", "decision"]]
    for row in rows:
        played, score = f"{row['played']} of {row['planned']}", f"{row['wins']}–{row['losses']}"
        lines.append([row["strategy"], row["reference"], str(row["episodes"]), played, score, row["decision"]])
    if not rows:
        return "There is no pair: at least two strategies with a finished run of the same seed are needed."
    alpha = rows[0]["alpha"]
    together = f", any of the {len(rows)} pairs with at most {min(1.0, alpha * len(rows)):g}" if len(rows) > 1 else ""
    return (
        f"{_columns(lines)}\n"
        f"Two equally good policies are decided with a probability of at most {alpha:g}{together}. This is about these "
        "trained policies, not about other seeds of the strategies; where a pair stopped early, its scores lie a "
        "little too far apart."
    )


def _settings_text(settings: dict[str, Any]) -> str:
    shown = [f"{n}={v if isinstance(v, str) else json.dumps(v)}" for n, v in settings.items()]
    more = [f"… {len(shown) - NAMED} more"] if len(shown) > NAMED else []
    return ", ".join(shown[:NAMED] + more)
