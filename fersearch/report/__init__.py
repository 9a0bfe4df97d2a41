"""The paper pack of a study: one page, and beside it the plots and tables that a paper is made of.

`records` says what a report is given, `derive` what follows from it, `tables` and `plots` how that is shown,
`sections` in which order, `page` and `pack` write it. Nothing here opens the database or loads a model.
"""
