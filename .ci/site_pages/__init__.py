"""What the site is made of, from the repository to a folder that mkdocs builds.

navigation   which page stands where, in both languages; a page that it does not know stands under "More"
staging      copies pages and pictures, and turns links of the repository into links of the site
api          a page for every public name, from its docstring (mkdocstrings reads it)
commands     a page of every verb, its options and examples, from the commands themselves
keys         every key that a TOML file may have, with unit, default and meaning, from the models
notebooks    notebooks as pages
tables       features, kinds of policy, estimators, measures, exit codes

Not here: building and checking (make_site.py beside this folder).
"""
