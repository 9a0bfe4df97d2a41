"""The README.md of a checkpoint's folder, in the model card format of the Hugging Face hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fersearch.formatting import plural

README = "README.md"
SHOWN = ("f1_macro", "accuracy", "balanced_accuracy", "log_loss")
ONNX_EXAMPLE = """\
import json
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
images = np.zeros((1, {size}, {size}, {channels}), np.uint8)  # n, height, width, channels: faces cut as described above
probabilities = session.run(None, {{"images": images}})[0]
print([classes[k] for k in probabilities.argmax(1)], probabilities.max(1))
"""
LIMITS = """\
The model predicts which expression a face shows, as annotators labelled its training images. An expression is not an
emotion: the model cannot tell what a person feels, thinks or intends. It has not been shown to work equally well for
all ages, skin colours, cultures, poses and cameras. Evaluate it on images of your own before relying on it
(`fersearch evaluate`).

Do not use it to infer the emotions of people at work or in education, which Article 5(1)(f) of the EU AI Act prohibits
except for medical or safety reasons, or to make decisions about people."""


def write_model_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write the README.md that describes a checkpoint's card."""
    from huggingface_hub import ModelCard

    text = f"---\n{_head(card)}\n---\n\n{_body(card)}"
    (folder / README).write_text(str(ModelCard(text, ignore_metadata_errors=True)), encoding="utf-8")


def _head(card: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    dataset, values = str(card["dataset"]["name"]), _values(card)
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type=dataset,
            dataset_name=dataset,
            dataset_split="validation",
            metric_type=name,
            metric_value=value,
        )
        for name, value in values.items()
    ]
    return ModelCardData(
        model_name=_title(card),
        library_name="fersearch",
        pipeline_tag="image-classification",
        license="other",
        license_name="see-data-and-licence",
        tags=["facial-expression-recognition", names_of(card)],
        eval_results=results or None,
        ignore_metadata_errors=True,
    ).to_yaml()


def names_of(card: Mapping[str, Any]) -> str:
    """Return the architecture named on a card, or `ensemble`."""
    return "ensemble" if "members" in card else str(card["architecture"])


def _title(card: Mapping[str, Any]) -> str:
    if "members" in card:
        studies = ", ".join(card["studies"])
        return f"ensemble of {plural(len(card['members']), 'model')} on {card['dataset']['name']} ({studies})"
    return f"{card['architecture']} on {card['dataset']['name']} ({card['study']}, trial {card['trial']})"


def _values(card: Mapping[str, Any]) -> dict[str, float]:
    if "members" in card:
        value = card.get("validation", {}).get("ensemble")
        return {} if value is None else {str(card["objective"]).partition(":")[0]: value}
    values = card.get("values") or card["metrics"]
    return {name: values[name] for name in SHOWN if isinstance(values.get(name), int | float)}


def _body(card: Mapping[str, Any]) -> str:
    sections = [
        ("", f"# {_title(card)}\n\nClassifies the expression of a face: {', '.join(card['class_names'])}."),
        (
            "Intended use",
            "Research on facial expression recognition, and software whose users know that it analyses their "
            "faces, and consent.",
        ),
        ("Input", _input(card)),
        ("Use", _use(card)),
        ("Metrics", _metrics(card)),
        ("Data and licence", _data(card)),
        ("Limits", LIMITS),
    ]
    return "\n\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections) + "\n"


def _input(card: Mapping[str, Any]) -> str:
    from fersearch.data.step_lists import default_of, describe

    kind = "grey" if card["channels"] == 1 else "RGB"
    size = card["image_size"]
    steps = f" Preprocessing: {describe(default_of(card['steps']))}." if card.get("steps") else ""
    return f"A cropped {kind} face, {size}x{size} pixels, uint8.{steps} Normalisation is part of the model."


def _use(card: Mapping[str, Any]) -> str:
    trust = ", trust_plugin=True" if card["plugins"] else ""
    flag = " --trust-plugin" if card["plugins"] else ""
    code = [
        f"With fersearch: `fersearch predict . FACE.png{flag}`, or in Python:",
        f"```python\nfrom fersearch import api\n\nprint(api.predict('.', ['FACE.png']{trust}))\n```",
    ]
    if "onnx" in card:
        example = ONNX_EXAMPLE.format(file=card["onnx"]["file"], size=card["image_size"], channels=card["channels"])
        code += ["With onnxruntime and numpy only:", f"```python\n{example}```"]
    return "\n\n".join(code)


def _metrics(card: Mapping[str, Any]) -> str:
    counts = (card.get("data") or {}).get("seen", {}).get("counts", {})
    n = f"{counts['valid']:,} validation images" if counts.get("valid") else "the validation images"
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in _values(card).items())
    table = f"| metric | value |\n|---|---|\n{rows}"
    if "members" in card:
        return "\n\n".join([_chosen(card), table, *_onnx_metrics(card)])
    protocol = card["protocol"]
    kind = f"split {protocol['split']}, split seed {protocol['seed']}, training seed {card['seed']}"
    evaluated_on = f"On {n}, which also selected the epoch ({kind}); the test split was not used."
    return "\n\n".join([evaluated_on, table, *_onnx_metrics(card)])


def _chosen(card: Mapping[str, Any]) -> str:
    """Describe how the members of an ensemble are combined and were chosen."""
    sentences = [f"Its members are combined by {card['method']}."]
    if validation := card.get("validation"):
        fair = card.get("crossvalidated", {}).get("ensemble")
        sentences.append(f"On {validation['n']:,} validation images, which also selected the members;")
        sentences.append(f"cross-validated on them: {fair:.4f}." if fair is not None else "")
        sentences.append("The test split was not used.")
    return " ".join(filter(None, sentences))


def _onnx_metrics(card: Mapping[str, Any]) -> list[str]:
    entry = card.get("onnx")
    if not entry:
        return []
    time = entry["latency"]
    sentences = [
        f"The ONNX file is {entry['bytes'] / 2**20:.2f} MB and takes {time['median_ms']:.2f} ms for "
        f"{time['batch']} image (median of {time['runs']} runs, {time['threads']} CPU thread)."
    ]
    if quantized := entry.get("quantization"):
        sentences.append(
            f"Its weights and activations are quantised to int8: macro F1 {quantized['f1_macro']:.4f} on validation, "
            f"{quantized['f1_macro_before']:.4f} before (n = {quantized['n']:,})."
        )
    return sentences


def _data(card: Mapping[str, Any]) -> str:
    text = (
        f"Trained on {card['dataset']['name']} by fersearch {card['versions'].get('fersearch', '')}. Licence of the "
        f"data: {card['licence']} The licence of the training data may also apply to the model."
    )
    return (
        f"{text} It was fine-tuned from the weights {card['weights']}, which have their own licence."
        if card.get("weights")
        else text
    )
