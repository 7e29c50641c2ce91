"""What follows from results: rankings, Pareto sets, differences. The queries are ``.sql`` files."""

from effdsl_analysis.ask import UnknownName
from effdsl_analysis.difference import Difference, diff
from effdsl_analysis.paretoset import ParetoSet, pareto
from effdsl_analysis.ranking import Ranking, rank

__all__ = ["Difference", "ParetoSet", "Ranking", "UnknownName", "diff", "pareto", "rank"]
