"""How scores vary: by groups of subjects, over seeds and draws, from home to away."""
