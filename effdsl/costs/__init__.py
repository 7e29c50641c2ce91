"""Predicted costs, before anything runs: memory, FLOPs, bytes moved, time, energy, money and CO2e."""

from effdsl.costs.compute import decode_bytes_per_token as decode_bytes_per_token
from effdsl.costs.compute import decode_flops_per_token as decode_flops_per_token
from effdsl.costs.compute import train_bytes_per_step as train_bytes_per_step
from effdsl.costs.known_speeds import FinishedTask as FinishedTask
from effdsl.costs.known_speeds import KnownSpeeds as KnownSpeeds
from effdsl.costs.memory import decoder_training_memory as decoder_training_memory
from effdsl.costs.memory import generation_memory as generation_memory
from effdsl.costs.price import UNPRICED as UNPRICED
from effdsl.costs.price import Price as Price
from effdsl.costs.price import Rates as Rates
from effdsl.costs.price import Speed as Speed
from effdsl.costs.price import lower_bound_s as lower_bound_s
from effdsl.costs.price import price_of as price_of
from effdsl.costs.price import together as together
