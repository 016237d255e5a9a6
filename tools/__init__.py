"""How the notebooks are made, run and checked. Nothing here is needed to take the course."""
