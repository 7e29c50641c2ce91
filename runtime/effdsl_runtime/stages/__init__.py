"""What the runtime knows of each stage, by dispatch on its workload and its inputs."""

from effdsl_runtime.stages import evaluation_inputs as evaluation_inputs
from effdsl_runtime.stages import fine_tuning as fine_tuning
from effdsl_runtime.stages import inference as inference
from effdsl_runtime.stages import pretraining as pretraining
