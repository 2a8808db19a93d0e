"""What a YAML flow means: schema, loader, checks, interpreter. No I/O except reading files; no async."""
