"""The model in other forms: weights of other layouts, proofs of conversion, ONNX files."""
