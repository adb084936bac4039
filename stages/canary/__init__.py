"""Who gets which version: the moves of a canary, its clocks, and the lookup for players."""
