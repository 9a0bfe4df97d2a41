"""The classes of FER2013 in the order of its codes."""

FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
