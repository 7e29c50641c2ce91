"""Our decoders laid out by Megatron-Core: its stock modules where it has them, our blocks where not."""
