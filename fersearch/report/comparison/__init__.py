"""Several studies side by side: grids, paired tests, sweeps, and the page that shows them."""
