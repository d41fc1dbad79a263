"""The services around the folds: Faust applications, their life, their probes. services/ starts them."""
