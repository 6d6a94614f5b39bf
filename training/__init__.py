"""How the embedded model's weights are made: texts, network, training, figures. Needs torch."""
