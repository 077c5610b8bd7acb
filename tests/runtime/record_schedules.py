"""Records learning rates of transformers' get_scheduler (transformers_schedules.json), and of DeepSpeed's schedulers
(../passes/options/deepspeed/schedules.json), for 200 training steps each: the rate of step t is that after t - 1 calls of
step().

    record_schedules.py LR_SCHEDULES        (needs torch and transformers; recorded with 2.15.0 and 5.24.0)

LR_SCHEDULES is deepspeed/runtime/lr_schedules.py (of 0.19.8), which is run alone: of DeepSpeed it needs a logger.
"""

import importlib.util
import json
import logging
import pathlib
import sys
import textwrap
import types

import torch
import transformers

STEPS = 200
PEAK = 3e-4
HERE = pathlib.Path(__file__).parent

# As transformers names it, its arguments, and how the schedule is said here.
TRANSFORMERS = [
    ("constant", {}, {}, {"kind": "constant"}),
    ("constant_with_warmup", {"num_warmup_steps": 37}, {}, {"kind": "constant", "warmup_steps": 37}),
    ("linear", {"num_warmup_steps": 20, "num_training_steps": 150}, {},
     {"kind": "linear", "warmup_steps": 20, "decay_steps": 150}),
    ("linear", {"num_warmup_steps": 0, "num_training_steps": 200}, {}, {"kind": "linear", "run_steps": 200}),
    ("cosine", {"num_warmup_steps": 20, "num_training_steps": 200}, {},
     {"kind": "cosine", "warmup_steps": 20, "decay_steps": 200}),
    ("cosine", {"num_warmup_steps": 0, "num_training_steps": 200}, {}, {"kind": "cosine", "run_steps": 200}),
    ("cosine_with_min_lr", {"num_warmup_steps": 31, "num_training_steps": 200}, {"min_lr": 3e-5},
     {"kind": "cosine", "warmup_steps": 31, "decay_steps": 200, "min_lr": 3e-5}),
    ("cosine_with_min_lr", {"num_warmup_steps": 1, "num_training_steps": 200}, {"min_lr_rate": 0.25},
     {"kind": "cosine", "warmup_steps": 1, "decay_steps": 200, "min_lr": 0.25 * PEAK}),
    ("warmup_stable_decay", {"num_warmup_steps": 20, "num_training_steps": 180}, {"num_decay_steps": 60},
     {"kind": "wsd", "warmup_steps": 20, "decay_steps": 60, "run_steps": 180}),
    ("warmup_stable_decay", {"num_warmup_steps": 20, "num_training_steps": 180},
     {"num_decay_steps": 60, "min_lr_ratio": 0.1},
     {"kind": "wsd", "warmup_steps": 20, "decay_steps": 60, "min_lr": 0.1 * PEAK, "run_steps": 180}),
    ("inverse_sqrt", {"num_warmup_steps": 25}, {}, {"kind": "inverse-sqrt", "warmup_steps": 25}),
    ("inverse_sqrt", {"num_warmup_steps": 0}, {}, {"kind": "inverse-sqrt"}),
]

# Type and params. A plan's momentum is fixed, so OneCycle leaves it as it is.
DEEPSPEED = [
    ("WarmupLR", {"warmup_min_lr": 1e-5, "warmup_max_lr": 2e-4, "warmup_num_steps": 50}),
    ("WarmupLR", {"warmup_num_steps": 50, "warmup_type": "linear"}),
    ("WarmupLR", {}),
    ("WarmupLR", {"warmup_num_steps": 1}),
    ("WarmupDecayLR", {"total_num_steps": 180, "warmup_min_lr": 1e-5, "warmup_max_lr": 2e-4, "warmup_num_steps": 50}),
    ("WarmupDecayLR", {"total_num_steps": 180, "warmup_num_steps": 50, "warmup_type": "linear"}),
    ("WarmupCosineLR", {"total_num_steps": 180, "warmup_num_steps": 50}),
    ("WarmupCosineLR", {"total_num_steps": 180, "warmup_num_steps": 50, "warmup_type": "linear",
                        "warmup_min_ratio": 0.2, "cos_min_ratio": 0.1}),
    ("OneCycle", {"cycle_min_lr": 1e-5, "cycle_max_lr": 2e-4, "cycle_first_step_size": 60, "cycle_momentum": False}),
    ("OneCycle", {"cycle_min_lr": 1e-5, "cycle_max_lr": 2e-4, "cycle_first_step_size": 30, "cycle_second_step_size": 90,
                  "decay_step_size": 7, "decay_lr_rate": 0.5, "cycle_momentum": False}),
    ("OneCycle", {"cycle_min_lr": 1e-5, "cycle_max_lr": 2e-4, "cycle_first_step_size": 50, "cycle_second_step_size": 70,
                  "cycle_first_stair_count": 4, "cycle_second_stair_count": 7, "cycle_momentum": False}),
]


def optimizer():
    return torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)


def rates(adamw, scheduler):
    adamw.step()  # torch warns of a schedule that moves first
    values = []
    for _ in range(STEPS):
        values.append(float(adamw.param_groups[0]["lr"]))
        scheduler.step()
    return values


def transformers_case(name, arguments, specific, said):
    adamw = optimizer()
    scheduler = transformers.get_scheduler(name, adamw, scheduler_specific_kwargs=specific, **arguments)
    return {"reference": name, "arguments": {**arguments, **specific}, "schedule": {"peak": PEAK, **said},
            "rates": rates(adamw, scheduler)}


def deepspeed_case(module, name, params):
    adamw = optimizer()
    scheduler = getattr(module, name)(adamw, **params)
    return {"optimizer": {"type": "AdamW", "params": {"lr": PEAK}}, "scheduler": {"type": name, "params": params},
            "rates": rates(adamw, scheduler)}


def alone(path):
    for name in ("deepspeed", "deepspeed.utils"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["deepspeed.utils"].logger = logging.getLogger("deepspeed")
    spec = importlib.util.spec_from_file_location("lr_schedules", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(case):
    numbers = textwrap.fill(json.dumps(case.pop("rates"))[1:-1], 128)
    return json.dumps(case)[:-1] + ', "rates": [\n' + numbers + "]}"


def write(path, cases):
    path.write_text("[\n" + ",\n".join(map(text, cases)) + "\n]\n")


if __name__ == "__main__":
    module = alone(sys.argv[1])
    write(HERE / "transformers_schedules.json", [transformers_case(*case) for case in TRANSFORMERS])
    write(HERE.parent / "passes/options/deepspeed/schedules.json", [deepspeed_case(module, *case) for case in DEEPSPEED])
