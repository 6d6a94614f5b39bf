"""From a comparison and a policy to a verdict. Pure: it reads the result object alone."""
