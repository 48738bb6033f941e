"""Settings with presets: one choice sets several others, as somebody published them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from studio.experiment.settings import Settings

NONE = "none"


class PresetSettings(Settings):
    """Settings whose field ``preset`` sets what is not given otherwise: a value that is given wins.

    A subclass declares the field, a choice among ``none`` and the names in ``presets``.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {**cls.presets.get(str(raw.get("preset", NONE)), {}), **raw}
