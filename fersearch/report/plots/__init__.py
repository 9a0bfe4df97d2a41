"""Plots, one family a file: plain values in, a matplotlib `Figure` out. The only room that imports matplotlib.

Draw inside `style.styled()`; `style.render` makes the files. pyplot and its list of open figures are not used.
"""
