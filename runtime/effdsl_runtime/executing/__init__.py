"""From a plan to tasks that run, one process each: shown on the way, recorded whatever happens."""
