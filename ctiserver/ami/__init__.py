"""The shell around Asterisk's manager interface (AMI): bytes to events, effects to actions."""
