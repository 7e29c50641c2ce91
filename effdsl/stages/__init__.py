"""The stages: what is done to language models, a file each. A stage is added by adding a file.

Importing this package declares the built-in ones. Any other is declared where its class stands, by
``@stage`` (see :mod:`effdsl.stages.stage`).
"""

from effdsl.stages import fine_tuning as fine_tuning
from effdsl.stages import inference as inference
from effdsl.stages import pretraining as pretraining
from effdsl.stages import trained_by_megatron as trained_by_megatron
from effdsl.stages import trained_by_torch as trained_by_torch
from effdsl.stages.stage import STAGES as STAGES
from effdsl.stages.stage import Stage as Stage
from effdsl.stages.stage import stage_of as stage_of
