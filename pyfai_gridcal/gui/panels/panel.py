"""The panel beside the plot, in the order of the work: image, plate, spots, model, quality; below, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from silx.gui import qt
from silx.gui.widgets.ElidedLabel import ElidedLabel

from ...base.units import format_length
from ...io.kinds.kinds import KINDS
from ...records.budget import PlateBudget, plate_figures
from ...records.settings import MODELS, STANDING
from ..drawing.calm import ignore_wheel
from ..layouts import Part, button, column, holder, row
from ..work.layers import SpotKind
from ..work.views import WorkView
from .dialogs import EXPORTS, LIKE
from .files import FileRow
from .form import Row, SettingsForm, rows_of
from .quality import QualityView, VerdictLabel

#: Role of a file -> its title, its line and column in the grid, and how many columns it takes.
FILES = {
    "image": ("Image of the grid", 0, 0, 3),
    "dark": ("Dark image", 1, 0, 1),
    "flat": ("Flat-field image", 1, 2, 1),
    "mask": ("Mask", 2, 0, 3),
}

#: What the task is for, as each task of pyFAI-calib2 says it.
HELP = (
    "Open the image of a plate with a regular grid of holes, and give its pitch, the distance of the holes. "
    "Look at the verdict and at the spots ringed in red, and save the detector for pyFAI."
)


def _group(title: str, *parts: Part) -> qt.QGroupBox:
    box = qt.QGroupBox(title)
    column(*parts, on=box, spacing=4).setContentsMargins(8, 6, 8, 6)
    return box


def _label(name: str) -> qt.QLabel:
    label = qt.QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextInteractionFlags(qt.Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


class WorkPanel(qt.QWidget):  # type: ignore[misc]
    """Shows the settings and what was found; passes on what the user wants."""

    #: Name of a setting and its new value.
    sigSetting = qt.Signal(str, object)
    #: Role (image, dark, flat, mask) and name of a file, or None.
    sigFile = qt.Signal(str, object)
    #: Number of the exposure to show.
    sigExposure = qt.Signal(int)
    sigAddExposure = qt.Signal()
    sigRemoveExposure = qt.Signal()
    sigCalibrate = qt.Signal()
    sigCancel = qt.Signal()
    sigForgetEdits = qt.Signal()
    sigSave = qt.Signal()
    #: Name of a kind of file, or LIKE.
    sigExport = qt.Signal(str)

    def __init__(self, parent: qt.QWidget | None = None):
        super().__init__(parent)
        self._forms: list[SettingsForm] = []
        self.imageLabel, self.spotLabel = _label("image-found"), _label("spots-found")
        self.modelLabel, self.resultLabel = _label("model-found"), _label("result-file")
        self.forgetButton = button("Forget all edits", self.sigForgetEdits.emit)
        self.forgetButton.setVisible(False)
        self.verdict, self.quality = VerdictLabel(), QualityView()
        model = self._form(rows_of("model", "pixel", "sensor", "max_sigma", choices={"model": MODELS}))
        helped = _label("help")
        helped.setText(HELP)
        inside = column(
            _group("Help", helped),
            _group("Image", self._files(), self._exposureBar(), self.imageLabel),
            _group("Plate", self._form(rows_of("pitch", "lattice", "angle", "hole", *STANDING))),
            _group("Spots", self._form(rows_of("polarity")), self.spotLabel, self.forgetButton),
            _group("Model", model, self.modelLabel),
            _group("Quality", self.verdict, self.quality),
            None,
            margin=4,
        )
        scroll = qt.QScrollArea(self)
        scroll.setWidget(holder(inside))
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(qt.QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column((scroll, 1), *self._bottom(), on=self)
        self.setMinimumWidth(390)
        self.resultLabel.hide()
        self.setBusy(False)

    # -- parts
    def _form(self, rows: list[Row]) -> SettingsForm:
        form = SettingsForm(rows)
        form.sigChanged.connect(self.sigSetting)
        self._forms.append(form)
        return form

    def _files(self) -> qt.QLayout:
        grid = qt.QGridLayout()
        self.files: dict[str, FileRow] = {}
        for role, (title, line, place, span) in FILES.items():
            chosen = FileRow(title)
            chosen.setObjectName(f"file-{role}")
            chosen.sigFile.connect(partial(self.sigFile.emit, role))
            grid.addWidget(qt.QLabel(f"{title.split()[0].split('-')[0]}:"), line, place)
            grid.addWidget(chosen, line, place + 1, 1, span)
            self.files[role] = chosen
        return grid

    def _exposureBar(self) -> qt.QLayout:
        self.exposures = qt.QComboBox()
        self.exposures.setObjectName("exposures")
        ignore_wheel(self.exposures)
        self.exposures.activated.connect(self.sigExposure)
        another = "Add another exposure of the same plate, shifted or turned"
        self.addButton = button("+", self.sigAddExposure.emit, tip=another, small=True)
        self.removeButton = button("−", self.sigRemoveExposure.emit, tip="Take this exposure out", small=True)
        return row(qt.QLabel("Exposures:"), (self.exposures, 1), self.addButton, self.removeButton)

    def _saveBar(self) -> None:
        tip = "Write the detector with all that it came from; the file can be opened again here"
        self.saveButton = button("Save detector...", self.sigSave.emit, name="save", tip=tip, height=34)
        self.exportButton = qt.QPushButton("Export")
        self.exportButton.setObjectName("export")
        self.exportButton.setMinimumHeight(34)
        menu = qt.QMenu(self.exportButton)
        for name, (title, suffixes) in EXPORTS.items():
            action = menu.addAction(f"{title} ({', '.join(suffixes)})" if suffixes else title)
            action.setToolTip(KINDS[name].statement if name in KINDS else "")
            action.setObjectName(f"export-{name}")
            action.triggered.connect(lambda _=False, name=name: self.sigExport.emit(name))
        menu.addSeparator()
        like = menu.addAction("PONI file like another, with this detector...")
        like.setToolTip("Distance, rotations, wavelength and parallax of a PONI file; the beam stays in its pixel")
        like.setObjectName(f"export-{LIKE}")
        like.triggered.connect(lambda: self.sigExport.emit(LIKE))
        self.relativeAction = menu.addAction("Name the detector relative to PONI and JSON files")
        self.relativeAction.setToolTip("Both can be moved together; pyFAI must then run in their folder")
        self.relativeAction.setCheckable(True)
        menu.setToolTipsVisible(True)
        self.exportButton.setMenu(menu)

    def _bottom(self) -> list[Part]:
        """What stays in sight while the rest is scrolled: how far it is, and the buttons to begin and to stop."""
        self.autoBox = qt.QCheckBox("Calibrate by itself")
        self.autoBox.setChecked(True)
        tip = "As soon as image and pitch are known, and after each change; only what depends on it is redone"
        self.autoBox.setToolTip(tip)
        self.progressText = ElidedLabel()
        self.progressText.setObjectName("progress-text")
        self.progressBar = qt.QProgressBar()
        self.progressBar.setRange(0, 1000)
        self.progressBar.setTextVisible(False)
        self.cancelButton = button("Cancel", self.sigCancel.emit, name="cancel")
        self.calibrateButton = button(
            "Calibrate", self.sigCalibrate.emit, name="calibrate", tip="Find the distortion (F5)", height=34
        )
        bar = row((self.progressBar, 1), self.autoBox, self.cancelButton)
        self._saveBar()
        buttons = row((self.calibrateButton, 1), self.saveButton, self.exportButton)
        return [self.resultLabel, self.progressText, bar, buttons]

    # -- what is shown
    def editor(self, name: str) -> qt.QWidget:
        """The widget of a setting."""
        for form in self._forms:
            if name in form.names():
                return form.editor(name)
        raise KeyError(name)

    def commit(self) -> None:
        """Take over texts that are still being written; raises UsageError for one that cannot be read."""
        for form in self._forms:
            form.commit()

    def setSettings(self, settings: Any) -> None:
        """Show settings."""
        for form in self._forms:
            for name in form.names():
                form.setValue(name, getattr(settings, name))
            if "angle" in form.names():
                form.setRowVisible("angle", settings.lattice == "oblique")

    def setBusy(self, busy: bool) -> None:
        """Show whether something is being done."""
        self.progressBar.setEnabled(busy)
        self.cancelButton.setEnabled(busy)
        if not busy:
            self.progressBar.setValue(0)
            self.progressText.setText("ready")

    def setProgress(self, fraction: float, text: str) -> None:
        """Show how far it is."""
        self.progressBar.setValue(round(1000 * fraction))
        self.progressText.setText(text)

    def setResult(self, text: str) -> None:
        """Say which file holds the result."""
        self.resultLabel.setText(text)
        self.resultLabel.show()

    def setExposures(self, names: Sequence[str], current: int) -> None:
        """List the exposures."""
        self.exposures.clear()
        self.exposures.addItems([f"{k + 1}: {name}" for k, name in enumerate(names)])
        self.exposures.setCurrentIndex(current)
        self.addButton.setEnabled(bool(names))
        self.removeButton.setEnabled(len(names) > 1)

    def setView(self, view: WorkView, *, edits: int = 0) -> None:
        """Show what was found."""
        self.imageLabel.setText(_image_words(view))
        self.spotLabel.setText(_spot_words(view, edits))
        self.forgetButton.setVisible(edits > 0)
        self.modelLabel.setText(_model_words(view))
        self.modelLabel.setToolTip(_model_tip(view))
        calibration = view.results.calibration
        self.verdict.setVerdict(None if calibration is None else calibration.verdict)
        self.quality.setFitLater(view.fit, view.exposure)
        self.saveButton.setEnabled(calibration is not None)
        self.exportButton.setEnabled(calibration is not None)


def _image_words(view: WorkView) -> str:
    if view.image is None:
        return ""
    ny, nx = view.image.shape
    parts = [f"{ny} × {nx} px"]
    masked = int(view.image.mask.sum())
    if masked:
        parts.append(f"{masked} masked")
    return "; ".join([", ".join(parts), *view.image.notes])


def _spot_words(view: WorkView, edits: int) -> str:
    layer = view.spots
    if layer is None:
        return ""
    work = view.results.exposures[view.exposure]
    found = work.found
    assert found is not None
    lines = [f"{len(found)} {found.polarity} holes of {found.hole_px:.1f} px"]
    counts = {
        "on the grid": layer.count(SpotKind.USED) + layer.count(SpotKind.OUTLIER),
        f"outlier{'s' if (out := layer.count(SpotKind.OUTLIER)) != 1 else ''}": out,
        "without a node": layer.count(SpotKind.STRAY),
        "removed": layer.count(SpotKind.REMOVED),
    }
    if work.points is not None:
        lines.append(", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "on the grid"))
    if edits:
        lines.append(f"{edits} edit{'s' if edits > 1 else ''} by hand")
    return "\n".join(lines)


def _model_words(view: WorkView) -> str:
    fit = view.fit
    if fit is None:
        return ""
    notes = next((f" ({t.note})" for t in fit.trials if t.chosen and t.note), "")
    sensor = fit.distortion.traits.sensor
    worst = "" if view.spots is None else f"\nLargest residuals: {', '.join(map(view.spots.words, view.spots.worst))}"
    residuals = f"weighted {fit.residual_px:.4f} px, unweighted {fit.plain_residual_px:.4f} px rms"
    errors = f"prediction error {fit.held_out_px:.4f} px, residual {residuals}"
    pixel = f"Pixel size {format_length(fit.distortion.pixel_size, digits=6)}{'' if sensor is None else f'; {sensor}'}"
    settings = getattr(view.results.calibration, "settings", None)
    budget = PlateBudget() if settings is None else PlateBudget.of(settings)
    with_plate = plate_figures(fit, budget)["with_plate_px"] if budget.told else None
    told = f"\nWith the plate {with_plate:.2g} px ({', '.join(budget.words)})" if budget.told else ""
    return f"{fit.recipe}{notes}: {errors}\n{pixel}{told}{worst}"


def _model_tip(view: WorkView) -> str:
    fit = view.fit
    if fit is None:
        return ""
    others = [
        f"{t.name}: error {t.held_out_px:.4f} px{' (taken)' if t.chosen else ''}{f', {t.note}' if t.note else ''}"
        for t in fit.trials
    ]
    pixel = format_length(fit.distortion.pixel_size, fit.pixel_sigma_m, digits=6)
    return "\n".join([*others, f"pixel size {pixel}", fit.distortion.gauge, *fit.notes])
