"""The site: the lessons and their stored outputs as plain pages (make site).

contents.py    what has a page
links.py       links that stay on the site
outputs.py     outputs that read well without a kernel
pages.py       the sources that Sphinx reads
__main__.py    runs Sphinx; its configuration is docs/site/conf.py
"""
