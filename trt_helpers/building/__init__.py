"""From ONNX to a plan: ``plan.py`` builds it, ``refusals.py`` says why not, ``targets.py`` for which GPUs."""
