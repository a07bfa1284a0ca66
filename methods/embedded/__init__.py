"""The embedded LLM and sentence encoder, trained from scratch on the language of LaMP-mini."""
