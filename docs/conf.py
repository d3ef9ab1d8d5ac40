"""How the documentation is made: ``make docs`` runs the tutorials and builds the pages."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

project = "diffex"
author = "The diffex developers"
project_copyright = "The diffex developers, Apache-2.0"
release = version = installed("diffex")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "command_reference",
]
exclude_patterns = ["_build", "extensions", "templates"]
templates_path = ["templates"]

# The public names are loaded when asked for, so they are named one by one in reference/python.md.
autosummary_generate = True
default_role = "py:obj"  # `Images` in a docstring leads to it
autodoc_typehints = "none"  # the docstrings say types, shapes and units
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# A tutorial that fails, or takes longer than this, is an error.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 1200
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove"  # what other libraries say while they load

html_theme = "furo"
html_title = "diffex"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e69", "color-brand-content": "#0b6e69"},
    "dark_css_variables": {"color-brand-primary": "#58c9c0", "color-brand-content": "#58c9c0"},
}
