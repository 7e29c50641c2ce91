"""How good a model is, by dispatch on the class of an evaluation; lm-eval is imported when it runs."""

from effdsl_runtime.evaluating import cloze as cloze
from effdsl_runtime.evaluating import harness_run as harness_run
from effdsl_runtime.evaluating import perplexity as perplexity
from effdsl_runtime.evaluating.evaluate import Evaluated as Evaluated
from effdsl_runtime.evaluating.evaluate import evaluate as evaluate
from effdsl_runtime.evaluating.evaluate import evaluate_all as evaluate_all
