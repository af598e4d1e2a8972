"""Training: features, split and scaler in; fitted challengers and their curves out."""
