"""What the fork server imports once, so that every task starts with it loaded."""

import torch  # noqa: F401

import effdsl_runtime.engines.torch_engine
import effdsl_runtime.worker  # noqa: F401
