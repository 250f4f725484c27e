"""The control points as a table that is linked to the plot."""

from __future__ import annotations

import numpy as np
from silx.gui import qt

from ...base.arrays import AnyArray
from ...records.fit import DistortionFit

_DISPLAY = qt.Qt.ItemDataRole.DisplayRole
#: Titles of the columns of :func:`columns_of`.
COLUMNS = ("i", "j", "y, px", "x, px", "residual y, px", "residual x, px", "|residual|, px", "sigma, px", "used")


def columns_of(fit: DistortionFit, exposure: int) -> list[AnyArray]:
    """Columns of the table, (M,) each."""
    points, residual = fit.points[exposure], fit.residual_yx[exposure]
    sigma = np.sqrt(np.mean(points.sigma_yx**2, axis=1))
    length = np.hypot(*residual.T)
    return [*points.ij.T, *points.yx.T, *residual.T, length, sigma, fit.used[exposure]]


class PointModel(qt.QAbstractTableModel):  # type: ignore[misc]
    """Table of the control points of one exposure, in an order that sorting changes."""

    def __init__(self, parent: qt.QObject | None = None):
        super().__init__(parent)
        self._columns: list[AnyArray] = []
        self._order: AnyArray = np.empty(0, int)

    def setFit(self, fit: DistortionFit | None, exposure: int = 0) -> None:
        """Show the points of a fit."""
        self.beginResetModel()
        self._columns = [] if fit is None else columns_of(fit, exposure)
        self._order = np.arange(len(self._columns[0]) if self._columns else 0)
        self.endResetModel()

    def point(self, row: int) -> int:
        """Number of the control point in a row."""
        return int(self._order[row])

    def row(self, point: int) -> int:
        """Row of a control point."""
        return int(np.flatnonzero(self._order == point)[0])

    def rowCount(self, parent: qt.QModelIndex | None = None) -> int:
        """Number of control points."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: qt.QModelIndex | None = None) -> int:
        """Number of columns."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: qt.Qt.Orientation, role: int = _DISPLAY) -> str | None:
        """Names of the columns."""
        if role != _DISPLAY:
            return None
        return COLUMNS[section] if orientation == qt.Qt.Orientation.Horizontal else str(self.point(section))

    def data(self, index: qt.QModelIndex, role: int = _DISPLAY) -> str | int | qt.QBrush | None:
        """Text of a cell; outliers are red."""
        value = self._columns[index.column()][self._order[index.row()]]
        if role == _DISPLAY:
            if value.dtype.kind == "b":
                return "yes" if value else "no"
            return str(int(value)) if value.dtype.kind in "iu" else f"{value:.4f}"
        if role == qt.Qt.ItemDataRole.ForegroundRole and not self._columns[-1][self._order[index.row()]]:
            return qt.QBrush(qt.QColor("#e04848"))
        if role == qt.Qt.ItemDataRole.TextAlignmentRole:
            return int(qt.Qt.AlignmentFlag.AlignRight | qt.Qt.AlignmentFlag.AlignVCenter)
        return None

    def sort(self, column: int, order: qt.Qt.SortOrder = qt.Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column."""
        if not self._columns:
            return
        self.layoutAboutToBeChanged.emit()
        self._order = np.argsort(self._columns[column], kind="stable")
        if order == qt.Qt.SortOrder.DescendingOrder:
            self._order = self._order[::-1]
        self.layoutChanged.emit()


class PointTable(qt.QTableView):  # type: ignore[misc]
    """Table of control points; a click on a row tells which point it is."""

    #: Number of the control point that was chosen.
    sigPoint = qt.Signal(int)

    def __init__(self, parent: qt.QWidget | None = None):
        super().__init__(parent)
        self.points = PointModel(self)
        self.setModel(self.points)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(qt.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(qt.QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().setDefaultSectionSize(22)
        self.selectionModel().currentRowChanged.connect(self._moved)
        self._quiet = False

    def setFit(self, fit: DistortionFit | None, exposure: int = 0) -> None:
        """Show the points of a fit, the largest residuals first."""
        self.points.setFit(fit, exposure)
        self.sortByColumn(COLUMNS.index("|residual|, px"), qt.Qt.SortOrder.DescendingOrder)
        self.resizeColumnsToContents()

    def choose(self, point: int) -> None:
        """Select a control point, without telling."""
        self._quiet = True
        self.selectRow(self.points.row(point))
        self._quiet = False

    def _moved(self, index: qt.QModelIndex, _before: qt.QModelIndex) -> None:
        if index.isValid() and not self._quiet:
            self.sigPoint.emit(self.points.point(index.row()))
