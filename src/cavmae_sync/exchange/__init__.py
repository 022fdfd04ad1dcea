"""A model in; the same model in another form out, with evidence that both compute the same.

- `convert`: weights of any layout into ours, and back into the layout they came from; `conversion` is the
  report of both.
- `proof`: vectors of the package's clip in the header of a weights file, which later show whether an
  installation computes the same.
- `onnx_export`: both encoders as ONNX files; `onnx_parity` compares them with the model.
"""
