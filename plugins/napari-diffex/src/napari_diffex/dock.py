"""The dock widget: the concepts of a run, and edits of a cell that the running app makes."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.qt.threading import create_worker
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QCompleter,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_diffex.client import Answer, App, connect
from napari_diffex.errors import PluginError
from napari_diffex.layers import run_layers
from napari_diffex.live import answer_words, show_answer
from napari_diffex.placing import KEY
from napari_diffex.run import Run, read_run
from napari_diffex.table import ConceptTable

if TYPE_CHECKING:
    from napari.viewer import Viewer


class Concepts(QWidget):
    """List the concepts of the run whose layer is selected, and ask the app for edits.

    Parameters
    ----------
    napari_viewer : Viewer
        Given by napari.
    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._run: Run | None = None
        self._app: App | None = None
        self._asked: Run | None = None  # of the question that is on its way
        self._show: Callable[[Any], None] = lambda _: None
        self.title, self.status = _text(), _text()
        self.table = ConceptTable()
        self.address = QLineEdit(placeholderText="address that diffex app RUN printed")
        self.cell = _cell_box()
        self.open_button = _button("Open run\N{HORIZONTAL ELLIPSIS}", self._choose)
        self.connect_button = _button("Connect", self.connect_app)
        self.edit_button = _button("Show edit", self.ask)
        self._lay_out()
        napari_viewer.layers.selection.events.active.connect(self._follow)
        self._follow()
        if self._run is None:
            self.title.setText("Open a run folder, or drop one on the viewer and select one of its layers.")
        self._refresh()

    def closeEvent(self, event: Any) -> None:
        """Let go of the viewer."""
        self._viewer.layers.selection.events.active.disconnect(self._follow)
        super().closeEvent(event)

    def open(self, folder: Path) -> None:
        """Read a run, list its concepts and show its pictures.

        Parameters
        ----------
        folder : Path
            The run folder.
        """
        try:
            run = read_run(folder)
            self._use(run)
            for data in run_layers(run):
                self._viewer.add_layer(Layer.create(*data))
        except PluginError as error:
            self.status.setText(str(error))
        else:
            self._viewer.reset_view()

    def connect_app(self) -> None:
        """Find the app at the address, without waiting for it."""
        if self._run is not None:
            self._start(self._connected, connect, self.address.text(), self._run)

    def ask(self) -> None:
        """Ask the app for the edit, without waiting for it."""
        place = self.cell.findText(self.cell.currentText())
        if self._run is None or self._app is None:
            return
        if place < 0:
            self.status.setText(f"The run has no cell {self.cell.currentText()!r}: choose one of the list.")
            return
        strengths = self.table.strengths()

        def show(answer: Answer) -> None:
            show_answer(self._viewer, run, answer, strengths)
            self.status.setText(answer_words(run, answer))

        run = self._run
        self._start(show, self._app.edit, self.cell.itemData(place), strengths)

    def _lay_out(self) -> None:
        whole, form, line = QVBoxLayout(self), QFormLayout(), QHBoxLayout()
        line.addWidget(self.address)
        line.addWidget(self.connect_button)
        form.addRow("App", line)
        form.addRow("Cell", self.cell)
        for part in (self.open_button, self.title, self.table):
            whole.addWidget(part)
        whole.addLayout(form)
        for part in (self.edit_button, self.status):
            whole.addWidget(part)

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a run of diffex")
        if folder:
            self.open(Path(folder))

    def _follow(self, event: Any = None) -> None:
        """Turn to the run of the selected layer, at first of any."""
        layers = self._viewer.layers
        found = [layers.selection.active] if event is not None else [layers.selection.active, *layers]
        folders = [
            layer.metadata[KEY]["run"] for layer in found if layer is not None and KEY in layer.metadata
        ]
        if not folders or (self._run is not None and str(self._run.folder) == folders[0]):
            return
        try:
            self._use(read_run(Path(folders[0])))
        except PluginError as error:
            self.status.setText(str(error))

    def _use(self, run: Run) -> None:
        self._run, self._app = run, None
        target, count = run.summary["target"], len(run.concepts)
        self.title.setText(f"{run.folder.name}: what moves the classifier toward {target} ({count} concepts)")
        self.table.fill(run.concepts)
        self.cell.clear()
        places = {name: place for place, name in enumerate(run.cells)}
        shown = [name for name in run.shown if name in places]
        for name in dict.fromkeys([*shown, *run.cells]):
            self.cell.addItem(name, places[name])
        if run.pixel_size:
            _show_scale_bar(self._viewer)
        self.status.setText(f"To edit cells, start diffex app {run.folder} and paste the address it prints.")
        self._refresh()

    def _connected(self, app: App) -> None:
        self._app = app
        self.address.clear()  # it holds the token, which is not for screenshots
        self.table.allow(app.sliders)
        told = f"{len(app.sliders)} concepts can be moved" if app.sliders else "this run has nothing to move"
        self.status.setText(f"Connected to the app at {app.place}: {told}.")

    def _start(self, show: Callable[[Any], None], compute: Callable[..., Any], *given: Any) -> None:
        """Compute in a thread; one question at a time."""
        self._asked, self._show = self._run, show
        self.status.setText("Asking the app\N{HORIZONTAL ELLIPSIS}")
        self._refresh()
        told = {"returned": self._arrived, "errored": self._failed, "finished": self._finished}
        create_worker(compute, *given, _connect=told, _start_thread=True)

    def _arrived(self, answer: Any) -> None:
        """Show what came back, unless another run is shown by now."""
        if self._asked is self._run:
            self._show(answer)

    def _failed(self, error: Exception) -> None:
        """Say what a user can mend; anything else is a fault, which napari shows as one."""
        if not isinstance(error, PluginError):
            raise error
        if self._asked is self._run:
            self.status.setText(str(error))

    def _finished(self) -> None:
        self._asked = None
        self._refresh()

    def _refresh(self) -> None:
        self.connect_button.setEnabled(self._run is not None and self._asked is None)
        self.edit_button.setEnabled(self._app is not None and self._asked is None)


def _show_scale_bar(viewer: "Viewer") -> None:
    with warnings.catch_warnings():  # its new place is not in napari before 0.9
        warnings.simplefilter("ignore", DeprecationWarning)
        viewer.scale_bar.visible = True


def _text() -> QLabel:
    label = QLabel(wordWrap=True)
    label.setTextFormat(Qt.TextFormat.PlainText)  # names come from files
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _button(text: str, pressed: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.clicked.connect(pressed)
    return button


def _cell_box() -> QComboBox:
    box = QComboBox(editable=True, insertPolicy=QComboBox.InsertPolicy.NoInsert)
    box.setMinimumContentsLength(12)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.completer().setFilterMode(Qt.MatchFlag.MatchContains)
    box.completer().setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
    return box
