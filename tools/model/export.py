"""Write the model folder that the lessons load: float16 weights, config and tokenizer.

python export.py --base BASE --weights OUT/weights.safetensors --folder models/masked-lm
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertForMaskedLM

TOKENIZER_CONFIG = {
    "tokenizer_class": "BertTokenizer",
    "do_lower_case": True,
    "strip_accents": None,
    "tokenize_chinese_chars": True,
    "model_max_length": 512,
    "padding_side": "right",
    "truncation_side": "right",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
    "pad_token": "[PAD]",
    "sep_token": "[SEP]",
    "unk_token": "[UNK]",
}


def export_model(base: Path, weights: Path, folder: Path) -> None:
    """Save config.json and model.safetensors; the tied output matrix is stored once."""
    config = BertConfig.from_pretrained(base)
    model = BertForMaskedLM(config)
    missing, unexpected = model.load_state_dict(load_file(weights), strict=False)
    untied = [name for name in missing if not name.startswith("cls.predictions.decoder.")]
    if untied or unexpected:
        raise ValueError(f"{weights}: missing {untied}, unexpected {unexpected}")
    model.tie_weights()
    model.to(torch.float16).save_pretrained(folder)


def export_tokenizer(base: Path, folder: Path) -> None:
    """Save the base tokenizer without the fixed length of 128 that its package sets."""
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)  # a third smaller than indented
    text = json.dumps(TOKENIZER_CONFIG, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, required=True, help="folder that training started from")
    parser.add_argument("--weights", type=Path, required=True, help="file written by train.py")
    parser.add_argument("--folder", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    export_model(args.base, args.weights, args.folder)
    export_tokenizer(args.base, args.folder)


if __name__ == "__main__":
    main()
