"""A preset fills the fields of a form; a value of one's own stays when it differs, and goes with its preset."""

from __future__ import annotations

from typing import Any

from plugins.strategies.lora import LoRA
from widgets.forms.params_form import ParamsForm


def test_preset_fills_the_form_and_own_values_win(qtbot: Any) -> None:
    form = ParamsForm("strategy.params.")
    qtbot.addWidget(form)
    form.set_model(LoRA.Params)
    form.edited.connect(form.set_values)  # as the panel does
    edited: list[dict[str, Any]] = []
    form.edited.connect(edited.append)
    assert form.form is not None

    def choose(name: str, value: Any) -> dict[str, Any]:
        assert form.form is not None
        form.form.rows[name].editor.set_value(value)
        form.form.rows[name].editor.edited.emit()
        return edited[-1]

    assert choose("preset", "openvla") == {"preset": "openvla"}
    assert form.form.values()["rank"] == 32 and form.form.values()["target_modules"] == ["all_linear"]
    assert choose("rank", 16) == {"preset": "openvla", "rank": 16}  # the usual value, but not the preset's
    assert choose("preset", "smolvla") == {"preset": "smolvla", "rank": 16}
    assert choose("rank", 64) == {"preset": "smolvla"}
    assert choose("preset", "none") == {} and form.form.values()["rank"] == 16
