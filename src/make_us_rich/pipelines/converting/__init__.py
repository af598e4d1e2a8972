"""Converting: the chosen challenger becomes ONNX, and is held against what it was made from."""
