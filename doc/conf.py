"""Sphinx configuration: python3 -m sphinx -n -W --keep-going -b html doc build/html"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# The kernel of the notebook shows figures in the page only with a backend of its own: none is handed down to it.
os.environ.pop("MPLBACKEND", None)
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

project = "pyfai_gridcal"
author = "The pyfai_gridcal developers"
project_copyright = author
release = installed_version("pyfai-gridcal")
version = release

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_copybutton",
    # our own, in _ext
    "commands",
    "complete",
    "examples",
    "formulas",
    "references",
    "tables",
]
exclude_patterns = ["_build", "_ext", "README.md", "**/.ipynb_checkpoints"]
templates_path: list[str] = []
nitpicky = True

# -- text
myst_enable_extensions = ["deflist", "dollarmath", "colon_fence", "attrs_inline", "attrs_block", "substitution"]
myst_heading_anchors = 3
myst_substitutions = {"version": release}
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

# -- reference from the docstrings
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
_ALIASES = ("AnyArray", "Bools", "Floats", "Ints", "Progress", "Gauge", "Polarity", "LatticeKind")
autodoc_type_aliases = {name: name for name in _ALIASES}
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# -- pages
html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "pyfai_gridcal"
html_static_path = ["_static"]
html_css_files = ["gridcal.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "pyfai_gridcal"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
}
# Pages that stand alone need no navigation beside them.
_ALONE = ("tutorial", "glossary", "conventions", "plate-and-exposure", "report", "errors", "changelog", "contributing")
html_sidebars = {page: [] for page in ("index", "first-detector", *_ALONE)}
html_context = {"default_mode": "light"}
