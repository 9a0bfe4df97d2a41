"""Exports models: as an ONNX file that needs neither fersearch nor torch, with a card that describes it."""
