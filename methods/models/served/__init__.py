"""LLMs behind an OpenAI-compatible endpoint: requests, answers, prompt embeddings."""
