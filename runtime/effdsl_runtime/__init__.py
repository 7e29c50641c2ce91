"""What runs: executor, engines, models, data and probes."""
