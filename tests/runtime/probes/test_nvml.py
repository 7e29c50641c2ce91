"""The probe of NVIDIA GPUs, through the real pynvml, against a driver library that replays a trace.

``h200_training.csv`` was written by hand after the shape of a training run; the energy column is the
trapezoid of its power column.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROWS = (Path(__file__).parent / "h200_training.csv").read_text(encoding="ascii").splitlines()[1:]
HALF_SECONDS = [0.5 * step for step in range(11)]
Replay = Callable[..., dict[str, Any]]


def row(t_s: float, **changed: str) -> str:
    plain = {
        "power_mw": "500000",
        "energy_mj": str(round(t_s * 500_000)),
        "module_power_mw": "800000",
        "module_energy_mj": str(round(t_s * 800_000)),
        "memory": "2000000000",
        "utilisation": "100",
        "reasons": "0",
        "pids": "self",
    }
    return ",".join([str(t_s), *(plain | changed).values()])


STEADY = [row(t) for t in HALF_SECONDS]


def test_energy_is_the_difference_of_the_counter_to_the_millijoule(replay: Replay) -> None:
    seen = replay(ROWS, HALF_SECONDS, (1.0, 4.5))
    assert (seen["meter"], seen["scope"]) == ("nvml-counter", "gpu")
    assert seen["metrics"]["energy_j"] == pytest.approx((7_477_500 - 5_120_000) / 1000, rel=1e-12)
    assert seen["metrics"]["aec_w"] == pytest.approx((7_477_500 - 5_120_000) / 1000 / 3.5, rel=1e-12)
    assert "energy_j_per_token" not in seen["missing"]


def test_a_window_that_ends_between_two_readings_takes_its_share_of_the_counter(replay: Replay) -> None:
    seen = replay(ROWS, HALF_SECONDS, (1.25, 4.1))
    start_mj = (5_120_000 + 5_430_000) / 2
    end_mj = 7_150_000 + 0.2 * (7_477_500 - 7_150_000)
    assert seen["metrics"]["energy_j"] == pytest.approx((end_mj - start_mj) / 1000, rel=1e-9)


def test_polled_power_integrates_to_the_energy_that_the_counter_shows(replay: Replay) -> None:
    seen = replay(ROWS, HALF_SECONDS, (1.0, 4.5), STANDIN_UNSUPPORTED="energy_gpu,energy_module")
    assert (seen["meter"], seen["scope"]) == ("nvml-power", "gpu")
    assert seen["metrics"]["energy_j"] == pytest.approx(2357.5, rel=1e-12)
    assert "energy_j" not in seen["columns"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unsupported", "meter", "scope", "watts"),
    [
        ("energy_gpu", "nvml-counter", "module", 800),
        ("energy_gpu,energy_module", "nvml-power", "gpu", 500),
        ("energy_gpu,energy_module,power_average_gpu", "nvml-power", "gpu", 500),
        ("energy_gpu,energy_module,power_average_gpu,power_instant_gpu", "nvml-power", "gpu", 500),
        (
            "energy_gpu,energy_module,power_average_gpu,power_instant_gpu,power_usage",
            "nvml-power",
            "module",
            800,
        ),
    ],
)
def test_where_the_gpu_alone_has_no_meter_the_module_is_measured_and_named(
    replay: Replay, unsupported: str, meter: str, scope: str, watts: float
) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), STANDIN_UNSUPPORTED=unsupported)
    assert (seen["meter"], seen["scope"]) == (meter, scope)
    assert seen["metrics"]["aec_w"] == pytest.approx(watts, rel=1e-12)


def test_the_plain_counter_of_a_grace_superchip_is_that_of_its_module(replay: Replay) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), STANDIN_NAME="NVIDIA GH200 480GB")
    assert (seen["meter"], seen["scope"]) == ("nvml-counter", "module")


def test_without_any_meter_energy_is_missing_with_the_drivers_reason(replay: Replay) -> None:
    meters = (
        "energy_gpu,energy_module,power_usage,"
        "power_average_gpu,power_instant_gpu,power_average_module,power_instant_module"
    )
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), STANDIN_UNSUPPORTED=meters)
    assert (seen["meter"], seen["scope"]) == ("none", "")
    for metric in ("aec_w", "energy_j", "energy_j_per_token"):
        assert metric not in seen["metrics"]
        assert "Not Supported" in seen["missing"][metric]
    assert seen["metrics"]["pcu"] == 1.0


def test_energy_of_less_than_two_seconds_is_refused(replay: Replay) -> None:
    seen = replay(STEADY, HALF_SECONDS, (1.0, 2.9))
    assert seen["missing"]["aec_w"] == "the measured iterations took 1.90 s; energy needs at least 2 s"
    assert seen["metrics"]["amu_gb"] == pytest.approx(2.0)


def test_a_counter_that_stands_still_gives_no_energy(replay: Replay) -> None:
    seen = replay([row(t, energy_mj="77") for t in HALF_SECONDS], HALF_SECONDS, (0.5, 4.5))
    assert seen["missing"]["aec_w"] == "the energy counter stood still for 4.00 s"


def test_a_counter_that_is_set_back_gives_no_energy(replay: Replay) -> None:
    rows = [row(t, energy_mj=str(round((t % 2.5) * 500_000))) for t in HALF_SECONDS]
    seen = replay(rows, HALF_SECONDS, (0.5, 4.5))
    assert seen["missing"]["aec_w"] == "the counter went down"


def test_memory_is_the_time_average_of_what_the_device_uses_without_the_drivers_reserve(
    replay: Replay,
) -> None:
    seen = replay(ROWS, HALF_SECONDS, (0.5, 2.0))
    # Trapezoids over 0.5 s each: 1 to 40, 40 to 60, 60 to 60 GB.
    assert seen["metrics"]["amu_gb"] == pytest.approx((20.5 + 50 + 60) * 0.5 / 1.5, rel=1e-12)
    assert seen["metrics"]["peak_memory_gb"] == pytest.approx(60)


def test_an_old_driver_without_the_second_memory_structure_is_read_by_the_first(replay: Replay) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), STANDIN_UNSUPPORTED="memory_v2")
    assert seen["metrics"]["amu_gb"] == pytest.approx(2.6)


def test_utilisation_is_its_time_average_over_the_window(replay: Replay) -> None:
    seen = replay(ROWS, HALF_SECONDS, (1.0, 2.0))
    assert seen["metrics"]["pcu"] == pytest.approx(((0.95 + 0.99) / 2 + (0.99 + 1.0) / 2) / 2, rel=1e-12)


def test_utilisation_that_a_device_does_not_know_is_missing_and_not_zero(replay: Replay) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), STANDIN_UNSUPPORTED="utilisation", STANDIN_MIG="1")
    assert "pcu" not in seen["metrics"]
    assert "Not Supported" in seen["missing"]["pcu"]
    assert "mig" in seen["flags"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reasons", "flags"),
    [
        ("0", []),
        ("1", []),  # idle
        ("4", ["throttled_sw_power_cap"]),
        ("32", ["throttled_sw_thermal"]),
        ("72", ["throttled_hw_slowdown", "throttled_hw_thermal"]),
        ("128", ["throttled_hw_power_brake"]),
    ],
)
def test_clocks_held_down_for_one_reading_are_flagged_with_the_reason(
    replay: Replay, reasons: str, flags: list[str]
) -> None:
    rows = [row(t, reasons=reasons if t == 2.0 else "0") for t in HALF_SECONDS]
    assert replay(rows, HALF_SECONDS, (0.5, 4.5))["flags"] == flags


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pids", "foreign"),
    [
        ("-", False),
        ("self", False),
        ("self;99999", True),
        ("99999", False),  # our own number may be another one outside a container
        ("99998;99999", True),
    ],
)
def test_a_process_of_someone_else_is_flagged(replay: Replay, pids: str, foreign: bool) -> None:
    rows = [row(t, pids=pids if t == 2.0 else "-") for t in HALF_SECONDS]
    assert ("foreign_process" in replay(rows, HALF_SECONDS, (0.5, 4.5))["flags"]) is foreign


def test_the_memory_of_this_process_is_kept_beside_that_of_the_device(replay: Replay) -> None:
    rows = [row(t, pids="-" if t < 1 else "self;99999") for t in HALF_SECONDS]
    own = replay(rows, HALF_SECONDS, (0.5, 4.5))["columns"]["process_memory_bytes"]
    assert own == [None, None] + [1_000_000_000] * 9


def test_a_gpu_that_is_lost_leaves_what_was_read_and_says_why_the_rest_is_missing(replay: Replay) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), STANDIN_LOST_AT_S="3.0")
    assert len(seen["columns"]["t_ns"]) == 6
    assert "GPU is lost" in seen["missing"]["aec_w"]
    assert "GPU is lost" in seen["missing"]["amu_gb"]


def test_readings_more_than_a_second_apart_are_flagged(replay: Replay) -> None:
    assert replay(STEADY, [0.0, 0.5, 2.0, 4.5, 5.0], (0.5, 4.5))["flags"] == ["sampling_gap"]


@pytest.mark.parametrize("visible", ["0", "GPU-standin"])
def test_the_first_visible_device_is_found_by_number_and_by_name(replay: Replay, visible: str) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), CUDA_VISIBLE_DEVICES=visible)
    assert seen["meter"] == "nvml-counter"


@pytest.mark.parametrize("visible", ["1", "GPU-other"])
def test_a_visible_device_that_is_not_there_is_reported_not_replaced_by_another(
    replay: Replay, visible: str
) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), CUDA_VISIBLE_DEVICES=visible)
    assert seen["metrics"] == {}
    assert "Not Found" in seen["missing"]["amu_gb"]


@pytest.mark.slow
@pytest.mark.parametrize("refused", ["name", "mig", "processes", "reasons", "memory_v2"])
@pytest.mark.parametrize("why", ["3", "4"])
def test_any_question_may_be_refused_alone(replay: Replay, refused: str, why: str) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), STANDIN_UNSUPPORTED=refused, STANDIN_REFUSAL=why)
    assert {"amu_gb", "pcu", "aec_w"} <= set(seen["metrics"])


def test_memory_that_is_refused_is_missing_with_the_reason_and_energy_is_not(replay: Replay) -> None:
    both = {"STANDIN_UNSUPPORTED": "memory,memory_v2", "STANDIN_REFUSAL": "4"}
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), **both)
    assert "Insufficient Permissions" in seen["missing"]["amu_gb"]
    assert {"pcu", "aec_w"} <= set(seen["metrics"])


def test_a_gpu_that_does_not_say_whether_it_is_a_superchip_claims_no_less_than_its_module(
    replay: Replay,
) -> None:
    assert replay(STEADY, HALF_SECONDS, (0.5, 4.5), STANDIN_UNSUPPORTED="name")["scope"] == "module"


def test_a_gpu_that_is_hidden_measures_nothing_and_says_why(replay: Replay) -> None:
    seen = replay(STEADY, HALF_SECONDS, (0.5, 4.5), CUDA_VISIBLE_DEVICES="")
    assert seen["metrics"] == {}
    assert "CUDA_VISIBLE_DEVICES='' hides every GPU" in seen["missing"]["amu_gb"]
