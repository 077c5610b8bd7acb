"""Exports a recipe's model and records how PyTorch trains it; models/README.md describes the folder written."""
import json
import logging
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from derive import Origin, derive_all
from philox import projection
from recipe import BATCH, STEPS, Recipe
from train import OPTIMIZER, Training, rows, train

PROJECTIONS = 4


def randomise(model: nn.Module, seed: int) -> None:
    """Distinct numbers in every parameter: vectors near what they were, others at the scale of their width."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() < 2:
                parameter.copy_(parameter.mean().round() + 0.1 * noise)
            else:
                parameter.copy_(noise * parameter[0].numel() ** -0.5)


def refresh(model: nn.Module, constructed: dict[str, torch.Tensor]) -> set[str]:
    """Gives back the numbers that the model's construction did not draw: ones, zeros and the zero rows of padding. The
    parameters that are one number throughout are returned: no value says which of them an initializer is."""
    equal = set()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            value = constructed[name]
            if (value == value.flatten()[0]).all():
                parameter.copy_(value)
                equal.add(name)
            else:
                parameter.mul_(value != 0)
    return equal


def export(recipe: Recipe, path: Path) -> onnx.ModelProto:
    """Writes model.onnx; the stack traces in it, which name this machine's files, are dropped."""
    names = list(recipe.inputs)
    dynamic = {name: dict(enumerate(axes)) for name, axes in recipe.dynamic.items() if axes}
    common = {"input_names": names, "output_names": ["loss"], "opset_version": recipe.opset}
    arguments = tuple(rows(recipe, 0))
    if recipe.exporter == "dynamo":
        sizes = {axis: torch.export.Dim(axis) for axes in dynamic.values() for axis in axes.values()}
        shapes = [{i: sizes[axis] for i, axis in dynamic.get(name, {}).items()} for name in names]
        torch.onnx.export(recipe.model, arguments, path, dynamo=True, external_data=False, verbose=False,
                          dynamic_shapes=tuple(shapes) if dynamic else None, **common)
    else:
        torch.onnx.export(recipe.model, arguments, path, dynamo=False, dynamic_axes=dynamic,
                          training=torch.onnx.TrainingMode.EVAL, **common)
    model = onnx.load(path)
    for node in model.graph.node:
        node.doc_string = ""
        kept = [entry for entry in node.metadata_props if not entry.key.endswith("stack_trace")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return model


def with_weights(model: onnx.ModelProto, origins: dict[str, Origin], weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """A copy of the model that holds other weights."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if origin := origins.get(tensor.name):
            value = origin.apply(weights[origin.parameter], is_gradient=False).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    return copy


def check(model: onnx.ModelProto, recipe: Recipe, loss: float) -> None:
    """The graph gives PyTorch's loss on the first batch."""
    feed = dict(zip(recipe.inputs, (values.numpy() for values in rows(recipe, 0))))
    got = float(ReferenceEvaluator(model).run(None, feed)[0])
    if abs(got / loss - 1) > 1e-5:
        raise RuntimeError(f"the graph's loss is {got}, PyTorch's {loss}")


def measures(values: np.ndarray) -> dict:
    """What stands for a whole tensor: its norm and its projections."""
    return {"l2": float(np.linalg.norm(values)), "projections": [projection(values, j) for j in range(PROJECTIONS)]}


def describe_initializer(origin: Origin, truth: Training, narrow: Training) -> dict:
    weight, again = (origin.apply(run.weights[origin.parameter], is_gradient=False) for run in (truth, narrow))
    gradient = origin.apply(truth.gradients[origin.parameter], is_gradient=True)
    return {"torch": origin.parameter, **origin.describe(truth.weights[origin.parameter].shape),
            "shape": list(weight.shape), "decay": weight.ndim >= 2, "gradient": measures(gradient),
            "weight": measures(weight), "undetermined": int((abs(weight - again) > 0.01 * OPTIMIZER["lr"]).sum())}


def describe_value(value: onnx.ValueInfoProto) -> dict:
    tensor = value.type.tensor_type
    shape = [dim.dim_param or dim.dim_value for dim in tensor.shape.dim]
    return {"name": value.name, "dtype": onnx.TensorProto.DataType.Name(tensor.elem_type), "shape": shape}


def counted_labels(recipe: Recipe) -> list[int]:
    """Labels that are not ignored, in each step."""
    labels = recipe.inputs["labels"]
    counted = labels[:, 1:] if recipe.shifts_labels else labels
    return (counted != -100).reshape(STEPS, -1).sum(1).tolist()


def sizes(recipe: Recipe) -> dict[str, int]:
    """What each symbolic dimension is in batch.npz, the batch aside."""
    return {axis: values.shape[i] for name, values in recipe.inputs.items()
            for i, axis in enumerate(recipe.dynamic.get(name, ())) if i > 0}


def write_json(path: Path, fields: dict, initializers: dict[str, dict]) -> None:
    """One line a field and one an initializer."""
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in fields.items()]
    entries = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in initializers.items()]
    path.write_text("\n".join(["{", *lines, ' "initializers": {', ",\n".join(entries), " }", "}"]) + "\n")


def with_gradients(recipe: Recipe) -> dict[str, np.ndarray]:
    """The parameters that the loss depends on."""
    recipe.model(*rows(recipe, 0)).backward()
    used = {name: p.detach().numpy() for name, p in recipe.model.named_parameters() if p.grad is not None}
    recipe.model.zero_grad()
    return used


def describe_export(recipe: Recipe, model: onnx.ModelProto) -> dict:
    """What the file is."""
    return {
        "exporter": recipe.exporter, "producer": f"pytorch {torch.__version__}",
        "ir_version": model.ir_version, "opset": {o.domain or "ai.onnx": o.version for o in model.opset_import},
        "inputs": [describe_value(v) for v in model.graph.input], "outputs": [describe_value(v) for v in model.graph.output],
        "sizes": sizes(recipe), "nodes": len(model.graph.node), "functions": [f.name for f in model.functions],
        "ops": dict(Counter(node.op_type for node in model.graph.node).most_common()),
    }


def describe_training(recipe: Recipe) -> dict:
    """What is trained, and on what."""
    return {
        "loss_output": "loss", "label_shift": "in the graph" if recipe.shifts_labels else "none", "ignore_index": -100,
        "counted_labels_per_step": counted_labels(recipe),
        "global_batch": BATCH, "steps": STEPS, "optimizer": {"kind": "AdamW", **OPTIMIZER, "clip_global_norm": None},
    }


def describe_run(recipe: Recipe, truth: Training, narrow: Training) -> dict:
    """How large the model is, and its losses. Parameters that a loss does not depend on are no elements."""
    return {
        "parameters": sum(parameter.numel() for parameter in recipe.model.parameters()),
        "parameter_elements": sum(value.size for value in truth.weights.values()),
        "losses_fp64": truth.losses, "losses_fp32": narrow.losses,
        "grad_norms_fp64": truth.norms, "grad_norms_fp32": narrow.norms, "loss_after_on_batch0_fp64": truth.loss_after,
    }


def summary(family: str, recipe: Recipe, path: Path, model: onnx.ModelProto, truth: Training, narrow: Training) -> str:
    shapes = ", ".join(dict.fromkeys(axis for axes in recipe.dynamic.values() for axis in axes)) or "static"
    return (f"{family}/{path.name}: {recipe.exporter}, opset {model.opset_import[0].version}, [{shapes}], "
            f"{len(model.graph.node)} nodes, {path.stat().st_size // 1024} KiB, "
            f"loss {truth.losses[0]:.4f} to {truth.losses[-1]:.4f}, gradient norm {truth.norms[0]:.3g}, "
            f"float32 off by {abs(narrow.losses[-1] / truth.losses[-1] - 1):.1e}")


def values_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def decayed(origins: dict[str, Origin]) -> set[str]:
    return {origin.parameter for origin in origins.values() if len(origin.shape) >= 2}


def record_distinct(family: str, recipe: Recipe, folder: Path) -> tuple[dict[str, Origin], str]:
    """model.onnx and expected.json, every parameter holding distinct numbers: the origins, and a line that sums it up."""
    path = folder / "model.onnx"
    model = export(recipe, path)
    used = with_gradients(recipe)
    origins = derive_all(values_of(model), used)
    truth, narrow = (train(recipe, decayed(origins), dtype) for dtype in (torch.float64, torch.float32))
    check(model, recipe, truth.losses[0])
    check(with_weights(model, origins, truth.weights), recipe, truth.loss_after)
    names = {name for name, _ in recipe.model.named_parameters()}
    holders = Counter(origin.parameter for origin in origins.values())
    fields = {"fixture": family, **describe_export(recipe, model), **describe_training(recipe),
              "torch_parameters": len(names), "torch_parameters_not_in_graph": sorted(names - set(used)),
              "torch_parameters_held_more_than_once": sorted(name for name, count in holders.items() if count > 1),
              **describe_run(recipe, truth, narrow)}
    write_json(folder / "expected.json", fields,
               {name: describe_initializer(origin, truth, narrow) for name, origin in origins.items()})
    return origins, summary(family, recipe, path, model, truth, narrow)


def name_equal(distinct: dict[str, Origin], equal: set[str], recipe: Recipe, fresh: dict[str, np.ndarray]) -> dict[str, Origin]:
    """Origins of the parameters that are one number throughout, which no value tells apart: by the initializer that is
    each one's in the export of distinct numbers too, else by the parameter's own name."""
    parameters = {name: p.detach().numpy() for name, p in recipe.model.named_parameters()}
    named = {}
    for name, origin in distinct.items():
        if origin.parameter not in equal:
            continue
        value = origin.apply(parameters[origin.parameter], is_gradient=False)
        is_kept = name in fresh and np.array_equal(fresh[name], value)
        named[name if is_kept else origin.parameter] = origin
    return named


def record_fresh(family: str, recipe: Recipe, folder: Path, equal: set[str], distinct: dict[str, Origin]) -> str:
    """fresh.onnx and fresh.json. The exporter merges or drops the parameters `equal`, which are made of theirs as in the
    export of distinct numbers."""
    path = folder / "fresh.onnx"
    model = export(recipe, path)
    found = derive_all(values_of(model), {name: v for name, v in with_gradients(recipe).items() if name not in equal})
    origins = found | name_equal(distinct, equal, recipe, values_of(model))
    truth, narrow = (train(recipe, decayed(origins), dtype) for dtype in (torch.float64, torch.float32))
    check(model, recipe, truth.losses[0])
    fields = {"fixture": family, **describe_export(recipe, model), **describe_training(recipe),
              "torch_parameters_without_initializer": sorted(set(origins) - set(values_of(model))),
              **describe_run(recipe, truth, narrow)}
    write_json(folder / "fresh.json", fields,
               {name: describe_initializer(origin, truth, narrow) for name, origin in origins.items()})
    return summary(family, recipe, path, model, truth, narrow)


def record(family: str, recipe: Recipe, folder: Path) -> str:
    """Writes the folder's exports, samples and numbers; a line for each export is returned."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    recipe.model.eval()
    constructed = {name: p.detach().clone() for name, p in recipe.model.named_parameters()}
    randomise(recipe.model, seed=7)
    np.savez_compressed(folder / "batch.npz", **{name: values.numpy() for name, values in recipe.inputs.items()})
    origins, line = record_distinct(family, recipe, folder)
    if equal := refresh(recipe.model, constructed):
        line += "\n" + record_fresh(family, recipe, folder, equal, origins)
    return line
