"""Data that the package ships: see `frontends.example` and LICENSE-minilm.md."""
