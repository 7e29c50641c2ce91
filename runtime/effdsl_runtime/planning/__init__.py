"""Before anything runs: what a plan asks of the store, what this machine lacks, and how both are shown."""
