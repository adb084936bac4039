"""`python -m bench.growth`: plots and tables from docs/scale.json, without measuring."""
from bench.growth import page

page.write()
