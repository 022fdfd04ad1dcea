"""Settings of the documentation site: `sphinx-build -W --keep-going -b html docs FOLDER`."""

import os
import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for site_pages

project = "cavmae-sync"
release = metadata.version("cavmae-sync")
copyright = "the authors of cavmae-sync, Apache-2.0"  # noqa: A001 (Sphinx's own name)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "site_pages"]
exclude_patterns = ["_build"]

# Links such as (lists.md#the-formats) work in a repository viewer as well as on the site.
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
# The options of commands begin with two hyphens, which smart quotes would turn into a dash.
smartquotes = False

# Docstrings write code between single backticks.
default_role = "code"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Source", "notes_style")]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

html_theme = "furo"
html_title = f"cavmae-sync {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
# No page loads anything from another host: furo's fonts are those of the reader's system.
html_theme_options = {"navigation_with_keys": True}

# Numbers in signatures must not depend on the machine that builds the site.
os.environ.setdefault("COLUMNS", "100")
