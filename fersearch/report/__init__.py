"""The report of a study: one page, with its plots and tables as files for a paper.

`records` says what a report is given, `derive` what follows from it, `tables` and `plots` how that is shown,
`sections` in which order, `page` and `pack` write it. Nothing here opens the database or loads a model.
"""
