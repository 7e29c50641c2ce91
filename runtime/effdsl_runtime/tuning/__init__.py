"""Fine-tuning: where weights and tokenizers are, how a method is put into a model, how it is trained, what is
left of it."""
