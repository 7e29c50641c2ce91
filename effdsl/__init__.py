"""effdsl: declare an efficiency study of language-model techniques, price it, run it, ask the results.

from effdsl import Attention, B, GH200, GQA, MLA, MQA, NSA, Study

study = Study(axis=Attention([MQA, GQA, MLA, NSA]), scales=[0.5*B, 1.5*B, 3*B], hw=GH200)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from effdsl.axes import (
        Aspect,
        Attention,
        Axes,
        Axis,
        Backbone,
        FeedForward,
        FineTuning,
        Position,
        Precision,
    )
    from effdsl.data import (
        BPE,
        JSONL,
        ByteTokenizer,
        FineWebEdu,
        HubTokenizer,
        LocalText,
        Parquet,
        PythonHelp,
        Shakespeare,
    )
    from effdsl.declare import identity
    from effdsl.engines.megatron import Megatron
    from effdsl.engines.torch import Torch
    from effdsl.engines.transformers import Transformers
    from effdsl.engines.vllm import VLLM
    from effdsl.evaluation import Cloze, Perplexity
    from effdsl.hardware import (
        A40,
        A100,
        GH200,
        GTX_1080,
        GTX_1080_TI,
        H100,
        H100_PCIE,
        H200,
        L20,
        RTX_2080_TI,
        RTX_3060,
        RTX_3090,
        RTX_3090_TI,
        RTX_4090,
        RTX_A4000,
        RTX_A5000,
        RTX_A6000,
        THIS_MACHINE,
        TITAN_RTX,
        V100,
        Hardware,
    )
    from effdsl.harness import EfficientLLMTasks, LMEval
    from effdsl.instructions import Instructions, MedicalO1, OpenO1SFT
    from effdsl.load import Load
    from effdsl.own import technique
    from effdsl.plan import Plan
    from effdsl.planner import make_plan
    from effdsl.problems import StudyError
    from effdsl.study import Seeds, Study
    from effdsl.subjects.hub import Hub
    from effdsl.subjects.local import Local
    from effdsl.subjects.trained import Trained
    from effdsl.techniques.aspect import AspectRatio
    from effdsl.techniques.attention.gqa import GQA, MHA, MQA
    from effdsl.techniques.attention.mla import MLA
    from effdsl.techniques.attention.moba import MoBA
    from effdsl.techniques.attention.nsa import NSA
    from effdsl.techniques.backbone import BackboneTechnique, Pythia, Transformer
    from effdsl.techniques.feed_forward import GELU, ISO_FLOP, MoE, SwiGLU
    from effdsl.techniques.fine_tuning.composed import GLoRA, LoHa, LoKr
    from effdsl.techniques.fine_tuning.low_rank import DoRA, LoRA, LoRAPlus, PiSSA, RSLoRA
    from effdsl.techniques.fine_tuning.scaled import IA3, OFT, AdaLoRA, VeRA
    from effdsl.techniques.fine_tuning.targets import ALL_LINEAR
    from effdsl.techniques.fine_tuning.whole_layers import Freeze, Full
    from effdsl.techniques.mamba import Mamba, Mamba2
    from effdsl.techniques.position import ALiBi, Learned, NoPE, RoPE, Sinusoidal, T5Bias
    from effdsl.techniques.precision.calibrated import AWQ, GPTQ
    from effdsl.techniques.precision.calibration import Calibration
    from effdsl.techniques.precision.floating import BF16, FP8, FP16, FP32
    from effdsl.techniques.precision.integers import INT2, INT3, INT4, INT8, W8A8
    from effdsl.techniques.precision.normal_float import NF4
    from effdsl.techniques.rwkv import RWKV4
    from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
    from effdsl.training import Budget, Recipe, Sweep
    from effdsl.units import GB, KB, MB, TB, B, Bytes, Count, K, M, T

# Names are imported on first use, so that the command line starts without the language.
_HOMES = {
    "axes": "Aspect Attention Axes Axis Backbone FeedForward FineTuning Position Precision",
    "data": "BPE JSONL ByteTokenizer FineWebEdu HubTokenizer LocalText Parquet PythonHelp Shakespeare",
    "declare": "identity",
    "engines.megatron": "Megatron",
    "engines.torch": "Torch",
    "engines.transformers": "Transformers",
    "engines.vllm": "VLLM",
    "evaluation": "Cloze Perplexity",
    "hardware": (
        "A40 A100 GH200 GTX_1080 GTX_1080_TI H100 H100_PCIE H200 L20 RTX_2080_TI RTX_3060 RTX_3090 "
        "RTX_3090_TI RTX_4090 RTX_A4000 RTX_A5000 RTX_A6000 THIS_MACHINE TITAN_RTX V100 Hardware "
    ),
    "harness": "EfficientLLMTasks LMEval",
    "instructions": "Instructions MedicalO1 OpenO1SFT",
    "load": "Load",
    "own": "technique",
    "plan": "Plan",
    "planner": "make_plan",
    "problems": "StudyError",
    "study": "Seeds Study",
    "subjects.hub": "Hub",
    "subjects.local": "Local",
    "subjects.trained": "Trained",
    "techniques.backbone": "BackboneTechnique",
    "techniques.precision.calibration": "Calibration",
    "techniques.technique": "AttentionTechnique FeedForwardTechnique PositionTechnique",
    "techniques.feed_forward": "ISO_FLOP",
    "training": "Budget Recipe Sweep",
    "techniques.fine_tuning.targets": "ALL_LINEAR",
    "units": "GB KB MB TB B Bytes Count K M T",
}
_HOME = {name: f"effdsl.{module}" for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        value: Any = sorted({*_HOME, *_techniques()})
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name.startswith("_") or name not in (found := _techniques()):
        raise AttributeError(f"module 'effdsl' has no attribute {name!r}")
    else:
        value = found[name]
    globals()[name] = value
    return value


def _techniques() -> dict[str, Any]:
    """Techniques by name, collected from the files that declare them."""
    from effdsl.built_in import TECHNIQUES, declared_in
    from effdsl.techniques.technique import Technique

    return dict(declared_in(TECHNIQUES, Technique))


def __dir__() -> list[str]:
    return list(__getattr__("__all__"))


__all__ = [
    "A40",
    "A100",
    "ALL_LINEAR",
    "AWQ",
    "BF16",
    "BPE",
    "FP8",
    "FP16",
    "FP32",
    "GB",
    "GELU",
    "GH200",
    "GPTQ",
    "GQA",
    "GTX_1080",
    "GTX_1080_TI",
    "H100",
    "H100_PCIE",
    "H200",
    "IA3",
    "INT2",
    "INT3",
    "INT4",
    "INT8",
    "ISO_FLOP",
    "JSONL",
    "KB",
    "L20",
    "MB",
    "MHA",
    "MLA",
    "MQA",
    "NF4",
    "NSA",
    "OFT",
    "RTX_2080_TI",
    "RTX_3060",
    "RTX_3090",
    "RTX_3090_TI",
    "RTX_4090",
    "RTX_A4000",
    "RTX_A5000",
    "RTX_A6000",
    "RWKV4",
    "TB",
    "THIS_MACHINE",
    "TITAN_RTX",
    "V100",
    "VLLM",
    "W8A8",
    "ALiBi",
    "AdaLoRA",
    "Aspect",
    "AspectRatio",
    "Attention",
    "AttentionTechnique",
    "Axes",
    "Axis",
    "B",
    "Backbone",
    "BackboneTechnique",
    "Budget",
    "ByteTokenizer",
    "Bytes",
    "Calibration",
    "Cloze",
    "Count",
    "DoRA",
    "EfficientLLMTasks",
    "FeedForward",
    "FeedForwardTechnique",
    "FineTuning",
    "FineWebEdu",
    "Freeze",
    "Full",
    "GLoRA",
    "Hardware",
    "Hub",
    "HubTokenizer",
    "Instructions",
    "K",
    "LMEval",
    "Learned",
    "LoHa",
    "LoKr",
    "LoRA",
    "LoRAPlus",
    "Load",
    "Local",
    "LocalText",
    "M",
    "Mamba",
    "Mamba2",
    "MedicalO1",
    "Megatron",
    "MoBA",
    "MoE",
    "NoPE",
    "OpenO1SFT",
    "Parquet",
    "Perplexity",
    "PiSSA",
    "Plan",
    "Position",
    "PositionTechnique",
    "Precision",
    "Pythia",
    "PythonHelp",
    "RSLoRA",
    "Recipe",
    "RoPE",
    "Seeds",
    "Shakespeare",
    "Sinusoidal",
    "Study",
    "StudyError",
    "Sweep",
    "SwiGLU",
    "T",
    "T5Bias",
    "Torch",
    "Trained",
    "Transformer",
    "Transformers",
    "VeRA",
    "identity",
    "make_plan",
    "technique",
]  # fmt: skip

# Type checkers read the list; at run time `__getattr__` makes it, with every technique there is.
if not TYPE_CHECKING:
    del __all__
