"""What the graph in model.onnx is called by: the contract between export and runtime. Needs no torch."""

IMAGE = "image"
"""Input (B, 1, H, W) float32: network inputs as `network_input` makes them; sides are multiples of the map's stride."""
CORONAL = "coronal"
"""Input (B,) bool, only where each view has a network of its own: which views are coronal."""
LOGITS = "logits"
"""First output (B, C): class scores; their softmax are the probabilities."""
MAPS = "maps"
"""Second output (B, C, h, w): the raw class activation maps; of a U-Net (B, 1, H, W), the raw scores of its mask."""
OPSET = 18
"""What onnxruntime of 2023 and later reads."""
