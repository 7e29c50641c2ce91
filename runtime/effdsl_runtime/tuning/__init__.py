"""Fine-tuning: where weights and tokenizers are, how a method is put into a model, how it is trained, what is
left of it."""

import logging

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # peft imports it: see effdsl_runtime.quantizing
