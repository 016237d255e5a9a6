"""How Sphinx makes the site (`make site`). Its sources are prepared by tools/site/; nothing is executed."""

project = html_title = "TensorRT's Python runtime, hands on"
extensions = ["myst_nb"]
exclude_patterns = ["**/.ipynb_checkpoints"]

# Stored outputs are shown as they are.
nb_execution_mode = "off"
# No scripts from other hosts: they would be for live widgets, which need a kernel anyway.
nb_ipywidgets_js = {}

myst_heading_anchors = 4
# Dollars are dollars and colons are colons, as in JupyterLab without mathematics.
myst_enable_extensions = []

html_theme = "furo"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_copyright = False
html_use_index = False
pygments_style, pygments_dark_style = "a11y-light", "a11y-dark"
smartquotes = False
highlight_language = "none"  # a block that does not name its language
html_theme_options = {"navigation_with_keys": True}
