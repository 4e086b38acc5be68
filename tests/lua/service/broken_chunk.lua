-- Helper: raises in its main chunk.
error "from the main chunk"
