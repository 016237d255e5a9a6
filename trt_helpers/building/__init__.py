"""From ONNX to a plan."""
