"""The concepts of a run as a table, with a strength for each that the app can move."""

from collections.abc import Sequence
from html import escape
from textwrap import shorten

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDoubleSpinBox, QHeaderView, QTableWidget, QTableWidgetItem

from napari_diffex.client import Slider
from napari_diffex.concepts import Concept
from napari_diffex.numbers import NONE

_COLUMNS = ("rank", "concept", "effect (interval)", "significant", "strength")
_STRENGTH = 4
_LONG = 50


class ConceptTable(QTableWidget):
    """A row per concept."""

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self._concepts: tuple[Concept, ...] = ()
        self.setHorizontalHeaderLabels(_COLUMNS)
        self.verticalHeader().setVisible(False)
        self.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_STRENGTH, QHeaderView.ResizeMode.Fixed)
        self.setColumnWidth(_STRENGTH, 96)
        self.setMinimumWidth(520)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def fill(self, concepts: Sequence[Concept]) -> None:
        """List concepts, none of which can be moved yet.

        Parameters
        ----------
        concepts : sequence of Concept
            In the order of the rows.
        """
        self._concepts = tuple(concepts)
        self.setRowCount(len(concepts))
        for row, concept in enumerate(concepts):
            rank = f"{concept.rank:.0f}" if concept.rank == concept.rank else NONE
            texts = (rank, _told(concept), concept.effect_words, "yes" if concept.significant else "no", NONE)
            for column, text in enumerate(texts):
                self.removeCellWidget(row, column)
                self.setItem(row, column, _item(text, column))
            self.item(row, 1).setToolTip(f"<p>{escape(concept.name)}: {escape(concept.title)}</p>")

    def allow(self, sliders: Sequence[Slider]) -> None:
        """Give a strength to each concept that the app can move.

        Parameters
        ----------
        sliders : sequence of Slider
            Of the app.
        """
        known = {slider.concept: slider for slider in sliders}
        for row, concept in enumerate(self._concepts):
            self.removeCellWidget(row, _STRENGTH)
            slider = known.get(concept.id)
            if slider is not None:
                self.setCellWidget(row, _STRENGTH, _spin_box(concept, slider))
            else:
                self.item(row, _STRENGTH).setToolTip("The app has no slider for this concept.")

    def spin_box(self, concept: str) -> QDoubleSpinBox | None:
        """Find the strength of a concept.

        Parameters
        ----------
        concept : str
            Its id.

        Returns
        -------
        QDoubleSpinBox or None
            None where the app cannot move it.
        """
        for row, one in enumerate(self._concepts):
            if one.id == concept:
                return self.cellWidget(row, _STRENGTH)
        return None

    def strengths(self) -> dict[str, float]:
        """Read the strengths that are not 0.

        Returns
        -------
        dict of str to float
            By concept.
        """
        boxes = {concept.id: self.spin_box(concept.id) for concept in self._concepts}
        return {name: box.value() for name, box in boxes.items() if box is not None and box.value()}


def _told(concept: Concept) -> str:
    """The name, and the beginning of what edits change; the whole of it is in the tool tip."""
    changes = shorten(concept.title, _LONG, placeholder="\N{HORIZONTAL ELLIPSIS}")
    return concept.name if concept.name == concept.title else f"{concept.name}: {changes}"


def _item(text: str, column: int) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    if column != 1:
        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
    return item


def _spin_box(concept: Concept, slider: Slider) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(slider.low, slider.high)
    box.setSingleStep(0.25)
    box.setAccessibleName(f"strength of {concept.name}")
    return box
