"""The list of adapters: those of runs, and those that were pruned or blended."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QTreeWidget, QTreeWidgetItem

if TYPE_CHECKING:
    from studio.store.adapters import AdapterInfo


class AdapterList(QTreeWidget):
    """One line for each adapter; several can be selected, and the first selected one is the first of a blend."""

    def __init__(self) -> None:
        super().__init__()
        self._infos: dict[Path, AdapterInfo] = {}
        self._order: list[Path] = []  # selected ones, as they were selected
        self.setHeaderLabels([self.tr("Adapter"), self.tr("Method"), self.tr("Rank"), self.tr("Success")])
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAccessibleName(self.tr("Adapters"))
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, self.header().ResizeMode.Stretch)
        for column in (1, 2, 3):
            self.header().setSectionResizeMode(column, self.header().ResizeMode.ResizeToContents)
        self.header().setMinimumSectionSize(self.fontMetrics().horizontalAdvance("Adapter mm"))
        self.itemSelectionChanged.connect(self._note_order)

    def set_adapters(self, infos: Sequence[AdapterInfo]) -> None:
        """Show these; what was selected stays selected."""
        if list(infos) == list(self._infos.values()):
            return
        chosen = self.selected()
        self._infos = {info.folder: info for info in infos}
        self.blockSignals(True)
        self.clear()
        for info in infos:
            success = "" if math.isnan(info.success) else f"{info.success:.3f}"
            item = QTreeWidgetItem([info.name, info.method, str(info.rank or ""), success])
            item.setData(0, Qt.ItemDataRole.UserRole, info.folder)
            item.setToolTip(0, self._help(info))
            for column in (2, 3):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.addTopLevelItem(item)
            item.setSelected(info.folder in chosen)
        self.blockSignals(False)
        self._note_order()
        if chosen != self.selected():
            self.itemSelectionChanged.emit()

    def selected(self) -> list[Path]:
        """Return the folders of the selected adapters, in the order of their selection."""
        return [folder for folder in self._order if folder in self._infos]

    def name_of(self, folder: Path) -> str:
        """Return what an adapter is called."""
        return self._infos[folder].name

    def short_name_of(self, folder: Path) -> str:
        """Return the name without the time that a run's begins with."""
        return re.sub(r"^\d{8}-\d{6}-", "", self.name_of(folder))

    def _note_order(self) -> None:
        present = [item.data(0, Qt.ItemDataRole.UserRole) for item in self.selectedItems()]
        kept = [folder for folder in self._order if folder in present]
        self._order = kept + [folder for folder in present if folder not in kept]

    def _help(self, info: AdapterInfo) -> str:
        size = f"{info.bytes / 1e3:,.0f} kB" if info.bytes < 1e6 else f"{info.bytes / 1e6:,.1f} MB"
        words = self.tr("{folder}\n{size}\nTargets: {targets}\nBase (SHA-256): {base}")
        return words.format(folder=info.folder, size=size, targets=", ".join(info.targets), base=info.base_sha256)
