"""What takes the place of an absent encoding: a vector, or what is imputed from the modalities that are present."""
