"""Filling in masked words: model, tokenizer, graph, length buckets, and the decoder that puts them together."""
