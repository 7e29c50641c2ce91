"""What follows: rankings, Pareto sets and differences, as SQL over the store."""
