return "the neighbour"
